/** What a plug-in or a nested request fails with. Never hides the platform's code. */

/** Platform codes that plug-ins look at. */
export const codes = Object.freeze({
  ISV_ABORTED: 0x80040265,
  UNEXPECTED: 0x80040216,
  OBJECT_DOES_NOT_EXIST: 0x80040217,
  DUPLICATE_RECORD: 0x80040237,
  INVALID_ARGUMENT: 0x80040203,
  MESSAGE_NOT_SUPPORTED: 0x80040800,
});

/**
 * Refuses the request (InvalidPluginExecutionException); also what a failed nested request throws.
 * The caller reads the message as it is. A status of 0 is the default of the code.
 */
export class PluginError extends Error {
  constructor(message, { code = codes.ISV_ABORTED, status = 0 } = {}) {
    super(message);
    this.name = "PluginError";
    this.code = code;
    this.status = status;
  }
}

/** Something that the data at hand does not hold, or holds in another shape. */
export function dataError(message, code = codes.UNEXPECTED) {
  return new PluginError(message, { code });
}
