export { StowageError } from "./error.js";
export { Feed, type FeedEvents, type FeedOptions, type FeedState, type Gap } from "./feed/feed.js";
export type { FeedChange, Subscription, TaskRow } from "./feed/subscription.js";
export type {
  FileBody,
  FileFields,
  FileProgress,
  GetOptions,
  OnProgress,
  PutOptions,
  ResumableOptions,
  Stored,
  UrlOptions,
} from "./files/files.js";
export { Files } from "./files/files.js";
export type { CallArguments, CallInit, Data, Method, Params } from "./methods.js";
export type { components, operations, paths } from "./schema.js";
export type { Options, WebSocketConstructor, WebSocketLike } from "./server.js";
export { Stowage } from "./stowage.js";
