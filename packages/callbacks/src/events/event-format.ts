/** Forms in which endpoints get events; see event-message.ts. */
export const eventFormats = ['envelope', 'cloudevents-structured', 'cloudevents-binary'] as const;
/** Form in which an endpoint gets events. */
export type EventFormat = (typeof eventFormats)[number];

/** True if the text is the name of a form. */
export function isEventFormat(text: string): text is EventFormat {
  return eventFormats.some((format) => format === text);
}
