/// One failure in the words of the local protocol: what a client reads in an `error` line.
package struct HotlineError: Error, Hashable, Sendable {
  /// The stable codes of the local protocol. The raw value is what stands on the wire.
  package enum Code: String, Hashable, Sendable, CaseIterable {
    // Refused: no `hotline.done` follows.
    case invalidJSON = "invalid_json"
    case lineTooLong = "line_too_long"
    case invalidRequest = "invalid_request"
    case unknownType = "unknown_type"
    case unknownUpstream = "unknown_upstream"
    case duplicateRequestID = "duplicate_request_id"
    case unknownRequestID = "unknown_request_id"
    case sharedConnection = "shared_connection"
    case notAllowed = "not_allowed"
    case notConfigured = "not_configured"
    case tooManyClients = "too_many_clients"
    case tooManyRequests = "too_many_requests"
    case queueFull = "queue_full"
    case messageTooLarge = "message_too_large"
    case budgetExceeded = "budget_exceeded"
    // Ending an accepted request: `hotline.done` follows.
    case queueTimeout = "queue_timeout"
    case timeout
    case upstreamUnavailable = "upstream_unavailable"
    case upstreamAuth = "upstream_auth"
    case upstreamRejected = "upstream_rejected"
    case upstreamProtocol = "upstream_protocol"
    case connectionLost = "connection_lost"
    case conversationLost = "conversation_lost"
    case slowReader = "slow_reader"
    case cancelled
    case `internal`
    /// Refused while draining, or ended because the time to drain ran out.
    case shuttingDown = "shutting_down"
  }

  /// Whose failure it is.
  package enum Origin: String, Hashable, Sendable {
    case client, upstream, daemon
  }

  /// How much of the request may have reached the server.
  package enum Sent: String, Hashable, Sendable {
    /// Its last byte was never handed to the connection: the server cannot have acted on it.
    case no
    /// Handed over, nothing came back: it may have been billed.
    case unknown
    /// An event of it came back.
    case yes
  }

  package var code: Code
  package var origin: Origin
  package var sent: Sent
  /// One sentence for a person: what happened, to what, and what to do. Never a key, never a
  /// prompt.
  package var detail: String
  /// The same line may succeed later unchanged.
  package var isRetryable: Bool
  /// The member of the request that is wrong, as a path (`hotline.timeout_ms`).
  package var param: String?
  /// HTTP status of a refused upgrade.
  package var status: Int?
  /// WebSocket close code as the server sent it.
  package var closeCode: Int?
  /// WebSocket close reason as the server sent it, sanitised.
  package var closeReason: String?

  package init(
    _ code: Code, _ detail: String, origin: Origin = .daemon, sent: Sent = .no,
    isRetryable: Bool = false, param: String? = nil
  ) {
    self.code = code
    self.origin = origin
    self.sent = sent
    self.detail = detail
    self.isRetryable = isRetryable
    self.param = param
  }
}
