@testable import HotlineCore

/// An instant, in milliseconds since the tests' origin.
func t(_ milliseconds: Int) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: Int64(milliseconds) * 1_000_000)
}

extension Limits {
  static func with(_ change: (inout Self) -> Void) -> Self {
    var limits = Self()
    change(&limits)
    return limits
  }
}

/// An expected error, without its words.
func failure(
  _ code: HotlineError.Code, origin: HotlineError.Origin = .daemon,
  sent: HotlineError.Sent = .no, retryable: Bool = false, param: String? = nil,
  status: Int? = nil, closeCode: Int? = nil, closeReason: String? = nil
) -> HotlineError {
  var error = HotlineError(
    code, "", origin: origin, sent: sent, isRetryable: retryable, param: param)
  error.status = status
  error.closeCode = closeCode
  error.closeReason = closeReason
  return error
}

/// An expected completion; times in milliseconds since the request arrived.
func done(
  _ outcome: Outcome, on connection: ConnectionNumber? = nil, reused: Bool? = nil,
  resent: Bool = false, response: ByteString? = nil, usage: ByteString? = nil, queued: Int = 0,
  firstEvent: Int? = nil, firstText: Int? = nil, total: Int = 0, events: Int = 0,
  upstream: UpstreamIndex = 0
) -> Completion {
  Completion(
    outcome: outcome, upstream: upstream, connection: connection, isReused: reused,
    isResent: resent, responseID: response, usage: usage, queued: .milliseconds(queued),
    firstEvent: firstEvent.map { .milliseconds($0) },
    firstText: firstText.map { .milliseconds($0) }, total: .milliseconds(total), events: events)
}

extension [Action] {
  /// The same actions with errors reduced to what programs act on: their words are left out.
  var withoutWords: [Action] {
    map { action in
      switch action {
      case .refuse(let client, var error):
        error.detail = ""
        return .refuse(client, error)
      case .finish(let number, .some(var error), let completion):
        error.detail = ""
        return .finish(number, error, completion)
      case .answer(let command, .some(var error)):
        error.detail = ""
        return .answer(command, error)
      case .warmUp, .accountForWarmUp, .giveUpWarmUps, .giveUpLanes, .answer, .accept, .send,
        .forward, .deliver,
        .notifyQueued, .finish, .dial, .sendPing, .closeConnection, .closeClient, .cancelResponse,
        .stop:
        return action
      }
    }
  }

  /// The words of all errors.
  var words: [String] {
    compactMap { action in
      switch action {
      case .refuse(_, let error): error.detail
      case .finish(_, let error, _), .answer(_, let error): error?.detail
      case .warmUp, .accountForWarmUp, .giveUpWarmUps, .giveUpLanes, .accept, .send, .forward,
        .deliver,
        .notifyQueued, .dial, .sendPing, .closeConnection, .closeClient, .cancelResponse, .stop:
        nil
      }
    }
  }
}

extension Action {
  /// The last line of a request, however it ended.
  func isFinish(of number: UInt64) -> Bool {
    guard case .finish(RequestNumber(number), _, _) = self else { return false }
    return true
  }
}

extension EventFacts {
  /// An answer to a message about a response.
  static func answer(_ answer: ControlAnswer, about response: ByteString? = nil) -> Self {
    var event = Self.response(.progress, response)
    event.controlAnswer = answer
    return event
  }

  /// The end of a response for the sake of another.
  static func superseded(_ id: ByteString?, usage: ByteString? = nil) -> Self {
    var event = ended(.incomplete, id, usage: usage)
    event.isSuperseded = true
    return event
  }

  /// `response.created` with its id.
  static func created(_ id: ByteString?) -> Self { response(.progress, id) }
  /// Progress of a response that names none.
  static let progress = response(.progress, nil)
  static let text = response(.text, nil)
  static let notice = EventFacts(.notice)
  static let unusable = EventFacts(.unusable)
  /// An event of a type that nobody knows.
  static let unknown = EventFacts(.progress)

  static func ended(
    _ outcome: Outcome = .completed, _ id: ByteString? = nil, usage: ByteString? = nil
  ) -> Self {
    var event = response(.terminal(outcome), id)
    event.usage = usage
    return event
  }

  static func error(_ code: ByteString, _ detail: String? = nil) -> Self {
    var event = EventFacts(.error)
    event.errorCode = code
    event.errorDetail = detail
    return event
  }

  /// The same event, said to be of a lane.
  func of(_ lane: LaneReference) -> Self {
    var event = self
    event.lane = lane
    return event
  }

  private static func response(_ kind: Kind, _ id: ByteString?) -> Self {
    var event = EventFacts(kind, isResponseEvent: true)
    event.responseID = id
    return event
  }
}

extension ConnectionFailure {
  static let refused = ConnectionFailure(.unreachable, "connection refused")
  static let reset = ConnectionFailure(.lost, "connection reset")
  /// What the driver reports after it performed a close.
  static let local = ConnectionFailure(.local, "closed by the daemon")

  static func upgrade(_ status: Int, retryAfter: Duration? = nil) -> Self {
    ConnectionFailure(
      .upgradeRefused, "HTTP \(status)", status: status, retryAfter: retryAfter)
  }

  static func closed(_ code: Int, _ reason: String? = nil) -> Self {
    ConnectionFailure(.closed, "closed with \(code)", closeCode: code, closeReason: reason)
  }
}
