/** The body that a method takes, and the answer that it gives, as `openapi-typescript` writes them. */
interface JsonPost<Body, Answer> {
  post: {
    requestBody?: { content: { "application/json": Body } };
    responses: { 200: { content: { "application/json": Answer } } };
  };
}

/** A successful answer. */
interface Success<Data> {
  code: 200;
  data: Data;
}

/** The paths of `P` that are methods: JSON is posted, and the answer is an envelope. */
type MethodPath<P> = {
  [Path in keyof P]: P[Path] extends JsonPost<infer _Body, infer Answer>
    ? Extract<Answer, Success<unknown>> extends never
      ? never
      : Path
    : never;
}[keyof P];

/** The names of methods: `getImFavoriteList`, `transferApi/listTasks`. */
export type Method<P> = MethodPath<P> extends infer Path ? (Path extends `/${infer Name}` ? Name : never) : never;

/** The parameters of a method. */
export type Params<P, M extends Method<P>> = P[`/${M}` & keyof P] extends {
  post: { requestBody?: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;

/** The data of a method's successful answer. */
export type Data<P, M extends Method<P>> =
  P[`/${M}` & keyof P] extends JsonPost<infer _Body, infer Answer>
    ? Extract<Answer, Success<unknown>> extends Success<infer Result>
      ? Result
      : never
    : never;

/** What a call takes beside its parameters. */
export interface CallInit {
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** The arguments of a call. A method that requires no parameter can be called without them. */
export type CallArguments<P, M extends Method<P>> =
  Record<never, never> extends Params<P, M>
    ? [params?: Params<P, M>, init?: CallInit]
    : [params: Params<P, M>, init?: CallInit];
