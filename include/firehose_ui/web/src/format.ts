// Numbers, shares, spans and moments as a reader wants them.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (number: number): string => whole.format(Math.round(number));
export const compact = (number: number): string => short.format(number);

export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) [bytes, unit] = [bytes / 1000, unit + 1];
  return `${unit && bytes < 99.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

/** Never rounded to a whole that it is not. */
export function share(part: number): string {
  const percent = part * 100;
  if (percent >= 99.95 && percent < 100) return "99.9%";
  return `${percent === 0 || percent === 100 ? percent : percent.toFixed(1)}%`;
}

export function seconds(number: number): string {
  if (number < 10) return `${number.toFixed(2)} s`;
  if (number < 90) return `${Math.round(number)} s`;
  if (number < 5400) return `${Math.round(number / 60)} min`;
  if (number < 129_600) return `${Math.round(number / 3600)} h`;
  return `${Math.round(number / 86_400)} days`;
}

export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(at: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(new Date(at * 1000)).map((part) => [part.type, part.value]));
}

/** `2026-11-23 20:40`, in the reader's time zone. */
export function moment(at: number, zone: string): string {
  const p = parts(at, zone);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}`;
}
