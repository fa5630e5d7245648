/// What the core needs to know of one upstream event; its bytes stay with the driver.
package struct EventFacts: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// Part of a response, or of a kind that nobody knows yet.
    case progress
    /// Progress that carries a piece of the answer's text.
    case text
    /// The last event of a response.
    case terminal(Outcome)
    /// An `error`: a request's last event, or the connection's.
    case error
    /// Concerns the connection: limits, rates, greetings.
    case notice
    /// Not one valid JSON object, or one that only the daemon may write.
    case unusable
  }

  package var kind: Kind
  /// Its type begins with `response.`.
  package var isResponseEvent = false
  /// The lane that it names, if it does.
  package var lane = LaneReference.none
  /// What it answers to a message about a running response: about the one that it names, if it
  /// names one.
  package var controlAnswer: ControlAnswer?
  /// The server ends a response for another's sake, which follows.
  package var isSuperseded = false
  /// The response that it names, if it does.
  package var responseID: ByteString?
  package var errorCode: ByteString?
  /// The error's `type`: some servers leave the code null.
  package var errorType: ByteString?
  /// What would have been its status in HTTP.
  package var errorStatus: Int?
  /// The member of the request that an error is about.
  package var errorParam: ByteString?
  /// Code and message of an error, sanitised, for messages and logs.
  package var errorDetail: String?
  /// The `usage` object of a terminal event.
  package var usage: ByteString?

  package init(_ kind: Kind, isResponseEvent: Bool = false) {
    self.kind = kind
    self.isResponseEvent = isResponseEvent
  }
}

extension EventFilter {
  func wants(_ kind: EventFacts.Kind) -> Bool {
    switch (self, kind) {
    case (.all, _), (_, .terminal), (_, .error), (.text, .text): true
    case (.text, .progress), (.text, .notice), (.text, .unusable), (.final, .progress),
      (.final, .text), (.final, .notice), (.final, .unusable):
      false
    }
  }
}

extension EventFacts {
  /// Errors that say that this connection, not the request, has come to its end.
  var isForTheConnectionsSake: Bool {
    guard kind == .error, let errorCode else { return false }
    return errorCode == "websocket_connection_limit_reached" || errorCode == "session_expired"
      || isHopeless
  }

  /// The request was refused for the name of its lane.
  var isAboutTheLane: Bool { kind == .error && errorParam == "stream_id" }

  /// The server will answer every connection that way.
  var isHopeless: Bool { kind == .error && errorCode == "beta_api_shape_disabled" }

  /// The server has too much to do, or is ill: the same may be taken later.
  var isPassing: Bool {
    if let errorStatus, errorStatus == 429 || errorStatus >= 500 { return true }
    let passing: [ByteString] = [
      "rate_limit_exceeded", "insufficient_quota", "server_error", "internal_error",
      "server_is_overloaded", "slow_down",
    ]
    return [errorCode, errorType].contains { $0.map(passing.contains) ?? false }
  }

  /// It says that a message to the server was a mistake, rather than that something went wrong.
  var blamesAMessage: Bool {
    guard kind == .error, !isForTheConnectionsSake, !isAboutTheLane, !isPassing else {
      return false
    }
    if let errorStatus { return [400, 404, 405, 409, 422].contains(errorStatus) }
    let blaming: [ByteString] = ["invalid_request_error", "unknown_event", "unknown_parameter"]
    return [errorCode, errorType].contains { $0.map(blaming.contains) ?? false }
  }

  var asFailure: ConnectionFailure {
    ConnectionFailure(
      .protocolViolation, errorDetail ?? "an unexpected message came right after the opening")
  }
}
