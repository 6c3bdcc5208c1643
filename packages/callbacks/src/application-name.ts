/**
 * A thing with its application, for messages: `queue orders of application shop`. Applications are
 * optional: without one it is the thing alone.
 */
export function withApplication(thing: string, application: string): string {
  return application === '' ? thing : `${thing} of application ${application}`;
}
