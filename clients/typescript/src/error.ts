/** The server answered, and the answer is not a success. */
export class StowageError extends Error {
  override readonly name = "StowageError";

  /**
   * @param code The code of the answer: 300, 500, 600, 700, 60000, … It is 0 if the answer did not
   * come from Stowage, for example from a proxy.
   * @param status The HTTP status. A business error has 200.
   * @param method The method, for example `getImFavoriteList`, or `PUT /files`.
   * @param reason The message of the answer.
   */
  constructor(
    readonly code: number,
    readonly status: number,
    readonly method: string,
    readonly reason: string,
  ) {
    super(`${method}: ${reason} (code ${code}, HTTP status ${status})`);
  }

  /**
   * Whether the same request can succeed later without a change of it. A refusal and a wrong
   * parameter stay what they are. A failure of the server may pass.
   */
  get isTemporary(): boolean {
    if (this.status >= 400 && this.status < 500) {
      return [408, 423, 425, 429].includes(this.status);
    }
    return ![300, 600].includes(this.code);
  }
}
