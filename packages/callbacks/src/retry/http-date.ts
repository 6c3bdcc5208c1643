const monthNames = [
  'Jan',
  'Feb',
  'Mar',
  'Apr',
  'May',
  'Jun',
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
];
const shortDay = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const longDay = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const month = `(?<month>${monthNames.join('|')})`;
const time = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)';

/** The three forms of a date in HTTP: IMF-fixdate, RFC 850 and asctime. Names are case-sensitive. */
const forms: readonly RegExp[] = [
  new RegExp(`^${shortDay}, (?<day>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^${longDay}, (?<day>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT$`),
  new RegExp(`^${shortDay} ${month} (?<day>\\d\\d| \\d) ${time} (?<year>\\d{4})$`),
];

/**
 * Parses a date of an HTTP header to milliseconds since 1970; `undefined` for everything else, such
 * as an ISO date. All three forms are in UTC (RFC 9110, section 5.6.7), also asctime, which names no
 * zone. Not `Date.parse`, which reads many other forms, and asctime in the zone of the process.
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const parts = forms.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return undefined;
  const [day, hour, minute, second] = [parts.day, parts.hour, parts.minute, parts.second].map(
    Number,
  ) as [number, number, number, number];
  const monthIndex = monthNames.indexOf(parts.month ?? '');
  const written = Number(parts.year);
  const year = parts.year?.length === 2 ? toFullYear(written, nowMs) : written;
  // 60 is a leap second, which `Date.UTC` reads as the second after it.
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const isRealDay = new Date(Date.UTC(year, monthIndex, day)).getUTCDate() === day;
  return isRealDay ? Date.UTC(year, monthIndex, day, hour, minute, second) : undefined;
}

/** Returns the year with these last two digits that is at most 50 years in the future. */
function toFullYear(lastDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + lastDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
