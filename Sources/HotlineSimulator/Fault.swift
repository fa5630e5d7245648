/// Something that goes wrong, or just odd, in the middle of a response.
package enum Fault: Equatable, Sendable {
  /// TLS ends in order, but no WebSocket close frame was sent.
  case drop
  /// TCP reset.
  case reset
  /// TCP ends without TLS `close_notify`.
  case truncate
  /// WebSocket close with this code and reason.
  case close(code: UInt16, reason: String)
  /// No event follows; pings are still answered.
  case silence
  /// Nothing at all follows, and nothing that arrives is looked at.
  case dead
  /// An error event ends the response; the server closes after errors that concern the connection.
  case error(code: String, status: Int)
  /// A text message that is not JSON.
  case garbage
  /// A binary message.
  case binary
  /// A frame that RFC 6455 forbids.
  case badFrame(BadFrame)
  /// A text message that is not UTF-8.
  case invalidUTF8
  /// One event of exactly this size, or somewhat more if its other members need more.
  case giant(bytes: Int)
  /// A selection of ``OddMessages``.
  case odd

  /// What is wrong with a forbidden frame.
  package enum BadFrame: String, CaseIterable, Sendable {
    /// A reserved bit is set without an extension (RFC 6455 section 5.2).
    case reservedBit = "rsv"
    /// Opcode 3 (section 5.2).
    case opcode
    /// A mask on a server's frame (section 5.1).
    case masked
    /// A continuation that continues nothing (section 5.4).
    case continuation
  }
}

/// How a response ends when nothing interrupts it.
package enum ResponseEnding: String, Equatable, Sendable {
  case completed
  case failed
  case incomplete
  /// By the server itself, as the Realtime API's does when somebody begins to speak.
  case cancelled
  /// The terminal event never comes, and the connection stays busy.
  case none = "no-terminal"
}

/// What goes differently with one response.
///
/// Written as words with commas between, in a request's text as `[[fault: drop after 3, gap 5]]` or
/// after `--fault`; ``init(parsing:)`` has the vocabulary.
package struct FaultPlan: Equatable, Sendable {
  /// A fault and the number of events that go out before it.
  package struct Scheduled: Equatable, Sendable {
    package var fault: Fault
    package var after: Int
  }

  /// Wait before the first event, in milliseconds.
  package var delayMilliseconds: Int?
  /// Wait before each delta but the first, in milliseconds.
  package var gapMilliseconds: Int?
  /// Number of deltas.
  package var deltas: Int?
  /// Bytes of each delta's text; more only where the mark needs more.
  package var deltaBytes: Int?
  /// In order of ``Scheduled/after``.
  package var faults: [Scheduled] = []
  package var ending = ResponseEnding.completed
  /// A delta follows the terminal event.
  package var isLateAfterTerminal = false
  /// Events are spread over several lines.
  package var isPretty = false
  /// Frames per event, with a ping before each but the first.
  package var fragments: Int?
  /// Bytes per write to the socket, one write a millisecond, from then on.
  package var trickleBytes: Int?
  /// Only the first request with this very text is treated so.
  package var isOnce = false

  package init() {}
}
