/// A client's message about its running response.
package enum ControlMessage: Hashable, Sendable {
  case steer, inject, interrupt

  /// The member that names the response, in the upstream's terms.
  package var responseIDMember: StaticString {
    switch self {
    case .steer: "previous_response_id"
    case .inject, .interrupt: "response_id"
    }
  }
}

/// What a server says of such a message, as OpenAI's schema of its WebSocket events has it.
package enum ControlAnswer: Hashable, Sendable {
  /// `response.steer.accepted`: its input goes into a response that follows the running one.
  case accepted
  /// `response.inject.created`: its input has become part of the running response.
  case applied
  /// `response.steer.failed`, `response.inject.failed`: its input goes nowhere.
  ///
  /// `wasAccepted`: it names the message by an id, as the server does from its acceptance on.
  case failed(wasAccepted: Bool)
  /// `response.steer.pending`: its input waits for a request that the client is to make.
  case pending
  /// An error that names neither the message nor a response, as of a server that does not know such
  /// messages.
  case refused
  /// Nothing that settles it.
  case other
}

/// What is under way about the response on a lane, and whether another is to take its place.
///
/// A steered response may end before its time, or as it would have anyway; in either case the
/// server then begins another by itself, with what the client has said meanwhile. Only when nothing
/// is unsettled any more has the request come to its end.
struct Steering: Hashable, Sendable {
  /// How a response ended. Next: another begins, or the request ends.
  struct Ended: Hashable {
    let outcome: Outcome
    /// When nothing more is waited for.
    let giveUpAt: MonotonicInstant
  }

  /// Messages of one request whose answer may be awaited at a time.
  static let messagesMax = 16
  /// After so many responses that followed one another in a request it is steered no more.
  static let successorsMax = 64

  /// Steers and injects that the server has not answered.
  private(set) var unanswered = 0
  /// Steers that it has: another response is to follow.
  private(set) var accepted = 0
  private var isSteered = false
  /// No server has documented what answers an interrupt, nor what may follow it.
  private(set) var interrupts = 0
  var ended: Ended?
  /// Responses of the request before the one that runs here or ran last, with what they used.
  private(set) var earlierResponses: [ByteString] = []
  private(set) var earlierUsages: [ByteString] = []
  /// What the one that ran last used.
  var usage: ByteString?
  /// The response that the server was asked last to end.
  var cancelAskedFor: ByteString?

  /// More of the request may come, whatever ends.
  var isUnsettled: Bool { unanswered + accepted > 0 }
  var isInterrupted: Bool { interrupts > 0 }
  /// Its server may yet refuse a message.
  var awaitsAnswer: Bool { unanswered + interrupts > 0 }
  /// An event may name another response than the one before it did.
  var mayBringAnother: Bool {
    // What was asked before that may be answered by one each.
    (isUnsettled || isInterrupted)
      && earlierResponses.count < Self.successorsMax + Self.messagesMax
  }

  /// It has been steered so often that its server may bring no more.
  var isSteeredOut: Bool { earlierResponses.count >= Self.successorsMax }

  func takes(_ message: ControlMessage) -> Bool {
    switch message {
    case .steer, .inject: unanswered < Self.messagesMax
    case .interrupt: interrupts < Self.messagesMax
    }
  }

  mutating func sent(_ message: ControlMessage) {
    if message == .steer { isSteered = true }
    switch message {
    case .steer, .inject: unanswered += 1
    case .interrupt: interrupts += 1
    }
  }

  /// It was not sent after all.
  mutating func withdrawn(_ message: ControlMessage) {
    switch message {
    case .steer, .inject: unanswered = max(0, unanswered - 1)
    case .interrupt: interrupts = max(0, interrupts - 1)
    }
  }

  mutating func answered(_ answer: ControlAnswer) {
    switch answer {
    case .accepted:
      unanswered = max(0, unanswered - 1)
      accepted += 1
    case .applied:
      unanswered = max(0, unanswered - 1)
    case .failed(let wasAccepted):
      // A server may name what it has not accepted either.
      if wasAccepted, accepted > 0 { accepted -= 1 } else { unanswered = max(0, unanswered - 1) }
    case .pending:
      if accepted > 0 { accepted -= 1 } else { unanswered = max(0, unanswered - 1) }
    case .refused:
      // In their order; where an interrupt came first, a steer's own answer changes nothing more.
      if unanswered > 0 { unanswered -= 1 } else { interrupts = max(0, interrupts - 1) }
    case .other:
      break
    }
  }

  /// The response has ended.
  ///
  /// - Parameter isSuperseded: its server says that it has for another's sake.
  mutating func responseEnded(
    _ outcome: Outcome, usage: ByteString?, isSuperseded: Bool, giveUpAt: MonotonicInstant
  ) {
    self.usage = usage
    if isSuperseded, isSteered { accepted = max(1, accepted) }
    ended = Ended(outcome: outcome, giveUpAt: giveUpAt)
  }

  /// Another has begun in its place, with all input that was accepted.
  mutating func succeeded(_ response: ByteString) {
    earlierResponses.append(response)
    if let usage { earlierUsages.append(usage) }
    usage = nil
    ended = nil
    accepted = 0
  }
}
