/// What the driver is to do: ids and values, never channels.
///
/// Actions are performed in order. "At hand" is what the input brought: a client's line, or an
/// upstream's event.
package enum Action: Hashable, Sendable {
  /// The line at hand is now this request; `madeID` is the id made for it, if it brought none.
  case accept(RequestNumber, madeID: ByteString?)
  /// The line at hand is answered by this error alone.
  case refuse(ClientNumber, HotlineError)
  /// Writes the request's message to a connection.
  ///
  /// `lane`: whose name the message is to carry; nil where the connection carries one response.
  case send(RequestNumber, on: ConnectionNumber, lane: Int?)
  /// Writes the upstream's warm-up to a connection; `lane` as in `.send`.
  case warmUp(RequestNumber, on: ConnectionNumber, lane: Int?)
  /// Accounts for the warm-up of a connection by the `usage` that its server told.
  case accountForWarmUp(on: ConnectionNumber, usage: ByteString?)
  /// Says once that an upstream gets no more warm-ups until a reload.
  case giveUpWarmUps(UpstreamIndex, WarmUps.Reason)
  /// Says once that an upstream's server knows no lanes: its connections carry one response at a
  /// time until a reload.
  case giveUpLanes(UpstreamIndex)
  /// Writes the control message at hand to the connection of its request. The response that it
  /// names says which lane it is for.
  case forward(RequestNumber, on: ConnectionNumber, responseID: ByteString)
  /// Asks the server to end a response that nobody wants.
  case cancelResponse(ByteString, on: ConnectionNumber)
  /// Writes the event at hand to the request's client.
  case deliver(RequestNumber)
  /// Writes `hotline.queued`.
  case notifyQueued(RequestNumber, position: Int, reason: QueuedReason)
  /// Writes the error, if there is one, and the last line, and forgets the request.
  case finish(RequestNumber, HotlineError?, Completion)
  /// Answers a line that asked for something that is done now, or will not be.
  case answer(CommandNumber, HotlineError?)
  case dial(ConnectionNumber, UpstreamIndex)
  case sendPing(ConnectionNumber, id: UInt64)
  /// Closes a connection; whatever still comes from it is stale. A message that was not handed over
  /// by then must not be: its request is sent elsewhere.
  case closeConnection(ConnectionNumber, CloseReason)
  /// Flushes and closes a local connection.
  case closeClient(ClientNumber)
  /// Everything is finished: the daemon may end.
  case stop
}

/// Why the daemon closes an upstream connection; the raw value is what logs and metrics say.
package enum CloseReason: String, Hashable, Sendable, CaseIterable {
  /// The time without a request reached its limit.
  case idleLimit = "idle_limit"
  /// The connection's age reached its limit.
  case ageLimit = "age_limit"
  /// More idle connections than are to be kept warm.
  case surplus
  /// A ping stayed without an answer.
  case pongTimeout = "pong_timeout"
  /// Its response is unwanted: cancelled, timed out, or its client left or reads too slowly.
  case abandoned
  /// An unwanted response did not end in time.
  case abandonedTimeout = "abandoned_timeout"
  /// An event that belongs to no running response.
  case unexpectedEvent = "unexpected_event"
  /// The server refused a request for the connection's sake.
  case refusedByServer = "refused_by_server"
  /// An error came in the middle of a response.
  case errorInResponse = "error_in_response"
  /// A steered or interrupted response has ended, and what may follow it is not known.
  case steered
  /// It was made with an address, a key or headers that a reload has changed.
  case reloaded
  /// The daemon ends.
  case shutdown
}
