// Time zones of the IANA database, as the runtime knows them.

/** Whether it is a zone by name: `Europe/Berlin`, `UTC`. Fixed offsets such as `+02:00` are none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][\w+/-]{0,63}$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
