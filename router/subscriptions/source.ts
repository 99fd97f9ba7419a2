// The port through which the engine sees a message stream. Plain data only: the engine knows no broker, and its tests need none.

/** A place in one making of a stream. */
export interface Place {
  readonly identity: string;
  readonly sequence: number;
}

/** One message of a stream. */
export interface StreamMessage {
  /** The subject under which the stream keeps it. */
  readonly subject: string;
  /** Its place in the stream, from 1. */
  readonly sequence: number;
  /** The place of the message before it on the same subject, 0 for the first; undefined where the broker does not say. */
  readonly previous: number | undefined;
  readonly data: Uint8Array;
  /** Version of the aggregate it is about, counting up by subject, where the envelope says. Tells repeats after a rebuilt stream. */
  readonly version: number | undefined;
  /** Where it was stored at first, in a stream that was lost since, for one that was published again to make up for the loss. */
  readonly firstStored: Place | undefined;
  /** W3C trace context of the change, where the envelope says. */
  readonly traceparent: string | undefined;
}

/** What a stream holds at one moment. */
export interface StreamState {
  /** Changes when the stream is made anew: sequences of another identity mean nothing. */
  readonly identity: string;
  /** The oldest sequence still kept; one more than `lastSequence` when the stream is empty. */
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** Who gets the messages of a watch. */
export interface Listener {
  receive(message: StreamMessage): void;
}

/** An open watch, perhaps shared by several listeners. */
export interface Watch {
  /** Ends the watch of one listener. */
  remove(subject: string, listener: Listener): void;
}

/** Messages of streams: the live ones as they come, and those kept. Every read rejects with CodedError SERVICE_UNAVAILABLE when the broker is away. */
export interface Source {
  isConnected(): boolean;
  /** The stream's state, asked of the broker after this call; calls of the same moment share one question. */
  describe(stream: string): Promise<StreamState>;
  /**
   * Hands each message of `subject` (its last token may be `>`) that is stored from now on to `listener`; resolves once the broker
   * knows. Messages may be lost while the broker is away; `previous` and `onReconnect` let the caller notice.
   * @param within a subject that covers `subject`: watches within the same one share a subscription at the broker.
   */
  watch(stream: string, subject: string, within: string, listener: Listener): Promise<Watch>;
  /** The last message of `subject` (its last token may be `>`). */
  last(stream: string, subject: string): Promise<StreamMessage | undefined>;
  /** The first message of `subject` (its last token may be `>`) at or behind `sequence`. */
  next(stream: string, subject: string, sequence: number): Promise<StreamMessage | undefined>;
  /** Calls `listener` when the broker is back after it was away; returns how to stop. */
  onReconnect(listener: () => void): () => void;
}
