/**
 * Times of day for C: `struct tm` in the memory of the guest, in nine words and two more.
 *
 *     0 sec   4 min   8 hour   12 mday   16 mon   20 year - 1900   24 wday   28 yday   32 isdst   36 gmtoff   40 zone
 */

/** A `struct tm` as far as `strftime` needs it. */
interface BrokenDownTime {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  /** From 0. */
  readonly month: number;
  readonly year: number;
  /** From Sunday, which is 0. */
  readonly weekday: number;
  /** From 0. */
  readonly dayOfYear: number;
  /** Seconds east of Greenwich. */
  readonly offset: number;
}

const WORD = {
  second: 0,
  minute: 1,
  hour: 2,
  day: 3,
  month: 4,
  year: 5,
  weekday: 6,
  dayOfYear: 7,
  isDst: 8,
  offset: 9,
};
const FIRST_YEAR = 1900;
const MS_PER_SECOND = 1000;
const MS_PER_DAY = 86_400_000;
const SECONDS_PER_MINUTE = 60;
const DAYS_PER_WEEK = 7;

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = "January February March April May June July August September October November December".split(" ");

/** Writes the local time of `seconds` since 1970. */
export function writeLocalTime(words: Int32Array, seconds: number): void {
  const date = new Date(seconds * MS_PER_SECOND);
  const midnight = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  words[WORD.second] = date.getSeconds();
  words[WORD.minute] = date.getMinutes();
  words[WORD.hour] = date.getHours();
  words[WORD.day] = date.getDate();
  words[WORD.month] = date.getMonth();
  words[WORD.year] = date.getFullYear() - FIRST_YEAR;
  words[WORD.weekday] = date.getDay();
  words[WORD.dayOfYear] = (midnight - Date.UTC(date.getFullYear(), 0, 1)) / MS_PER_DAY;
  words[WORD.isDst] = Number(isDaylightSaving(date));
  words[WORD.offset] = -date.getTimezoneOffset() * SECONDS_PER_MINUTE;
}

export function writeUniversalTime(words: Int32Array, seconds: number): void {
  const date = new Date(seconds * MS_PER_SECOND);
  const midnight = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  words[WORD.second] = date.getUTCSeconds();
  words[WORD.minute] = date.getUTCMinutes();
  words[WORD.hour] = date.getUTCHours();
  words[WORD.day] = date.getUTCDate();
  words[WORD.month] = date.getUTCMonth();
  words[WORD.year] = date.getUTCFullYear() - FIRST_YEAR;
  words[WORD.weekday] = date.getUTCDay();
  words[WORD.dayOfYear] = (midnight - Date.UTC(date.getUTCFullYear(), 0, 1)) / MS_PER_DAY;
  words[WORD.isDst] = 0;
  words[WORD.offset] = 0;
}

/**
 * `mktime`: the seconds since 1970 of a local time, whose fields may be beyond their ranges and are put right. `undefined` if no `Date` has it.
 */
export function secondsOfLocalTime(words: Int32Array): number | undefined {
  const field = (name: keyof typeof WORD): number => words[WORD[name]]!;
  const date = new Date(
    field("year") + FIRST_YEAR,
    field("month"),
    field("day"),
    field("hour"),
    field("minute"),
    field("second"),
  );
  // Two digits are a year of the last century to `Date`, and are none here.
  if (field("year") + FIRST_YEAR < 100) date.setFullYear(field("year") + FIRST_YEAR);
  const seconds = date.getTime() / MS_PER_SECOND;
  if (Number.isNaN(seconds)) return undefined;
  writeLocalTime(words, seconds);
  return seconds;
}

function isDaylightSaving(date: Date): boolean {
  const [january, july] = [0, 6].map((month) => new Date(date.getFullYear(), month, 1).getTimezoneOffset());
  return january !== july && date.getTimezoneOffset() === Math.min(january!, july!);
}

/** `strftime` in the locale "C". */
export function formatTime(format: string, words: Int32Array): string {
  const time: BrokenDownTime = {
    second: words[WORD.second]!,
    minute: words[WORD.minute]!,
    hour: words[WORD.hour]!,
    day: words[WORD.day]!,
    month: words[WORD.month]!,
    year: words[WORD.year]! + FIRST_YEAR,
    weekday: words[WORD.weekday]!,
    dayOfYear: words[WORD.dayOfYear]!,
    offset: words[WORD.offset]!,
  };
  return expand(format, time);
}

function expand(format: string, time: BrokenDownTime): string {
  return format.replaceAll(/%[EO]?(.)/g, (found, letter: string) => {
    const conversion = CONVERSIONS[letter];
    if (conversion === undefined) return found;
    return typeof conversion === "string" ? expand(conversion, time) : conversion(time);
  });
}

const padded = (value: number, digits = 2, fill = "0"): string => String(value).padStart(digits, fill);
const hourOfHalf = ({ hour }: BrokenDownTime): number => hour % 12 || 12;

/** A letter → what it stands for: other conversions, or text. */
const CONVERSIONS: Readonly<Record<string, string | ((time: BrokenDownTime) => string)>> = {
  "%": () => "%",
  a: ({ weekday }) => (DAYS[weekday] ?? "?").slice(0, 3),
  A: ({ weekday }) => DAYS[weekday] ?? "?",
  b: ({ month }) => (MONTHS[month] ?? "?").slice(0, 3),
  B: ({ month }) => MONTHS[month] ?? "?",
  c: "%a %b %e %H:%M:%S %Y",
  C: ({ year }) => padded(Math.floor(year / 100)),
  d: ({ day }) => padded(day),
  D: "%m/%d/%y",
  e: ({ day }) => padded(day, 2, " "),
  F: "%Y-%m-%d",
  g: (time) => padded(isoWeek(time).year % 100),
  G: (time) => String(isoWeek(time).year),
  h: "%b",
  H: ({ hour }) => padded(hour),
  I: (time) => padded(hourOfHalf(time)),
  j: ({ dayOfYear }) => padded(dayOfYear + 1, 3),
  m: ({ month }) => padded(month + 1),
  M: ({ minute }) => padded(minute),
  n: () => "\n",
  p: ({ hour }) => (hour < 12 ? "AM" : "PM"),
  r: "%I:%M:%S %p",
  R: "%H:%M",
  S: ({ second }) => padded(second),
  t: () => "\t",
  T: "%H:%M:%S",
  u: ({ weekday }) => String(weekday || DAYS_PER_WEEK),
  U: (time) => padded(weekOfYear(time, 0)),
  V: (time) => padded(isoWeek(time).week),
  w: ({ weekday }) => String(weekday),
  W: (time) => padded(weekOfYear(time, 1)),
  x: "%D",
  X: "%T",
  y: ({ year }) => padded(((year % 100) + 100) % 100),
  Y: ({ year }) => String(year),
  z: ({ offset }) => {
    const minutes = Math.abs(offset) / SECONDS_PER_MINUTE;
    return `${offset < 0 ? "-" : "+"}${padded(Math.floor(minutes / 60))}${padded(minutes % 60)}`;
  },
  Z: ({ offset }) => (offset === 0 ? "GMT" : ""),
};

/** The first day of this kind begins week 1. */
function weekOfYear({ dayOfYear, weekday }: BrokenDownTime, firstDay: number): number {
  const since = (weekday - firstDay + DAYS_PER_WEEK) % DAYS_PER_WEEK;
  return Math.floor((dayOfYear + DAYS_PER_WEEK - since) / DAYS_PER_WEEK);
}

/** By ISO 8601 a week belongs to the year that its Thursday is in. */
function isoWeek({ year, dayOfYear, weekday }: BrokenDownTime): { readonly year: number; readonly week: number } {
  const sinceMonday = (weekday + DAYS_PER_WEEK - 1) % DAYS_PER_WEEK;
  const thursday = new Date(Date.UTC(year, 0, 1 + dayOfYear - sinceMonday + 3));
  const yearOfWeek = thursday.getUTCFullYear();
  const day = (thursday.getTime() - Date.UTC(yearOfWeek, 0, 1)) / MS_PER_DAY;
  return { year: yearOfWeek, week: Math.floor(day / DAYS_PER_WEEK) + 1 };
}
