import Glibc
package import HotlineCore

/// What the daemon needs to know of one message from an upstream, read in one pass.
///
/// The pass validates the whole message; texts and ranges are offsets into it, so the functions
/// must be given the same bytes again. A progress event allocates nothing. Any thread.
package struct UpstreamEnvelope: Sendable {
  /// How a response ended, by the upstream's own word.
  package enum Outcome: String, Hashable, Sendable {
    case completed, failed, incomplete, cancelled
  }

  package enum Kind: Hashable, Sendable {
    /// Progress that carries text of the answer.
    case text
    /// Any other event of a response, and whatever is not known.
    case progress
    /// The last event of a response.
    case terminal(Outcome)
    /// An `error`: of the current response, of a lane or of the connection.
    case error
    /// About the connection, not about a response: greetings, rate limits, pings.
    case notice
  }

  /// Why a message is passed on as `hotline.raw` instead of as an event.
  package enum Unusable: Error, Hashable, Sendable {
    case binary
    case invalidJSON(JSONError)
    case notAnObject
    case duplicateType
    /// Its `type` begins with `hotline.`; nobody but the daemon speaks so.
    case reservedType
  }

  /// Members of an `error`, from its nested object or from beside `type`; the nested ones win.
  package struct Failure: Hashable, Sendable {
    package var code: JSONText?
    package var message: JSONText?
    package var type: JSONText?
    package var param: JSONText?
    /// `status` or `status_code`, if it is an integer from 0 to 999.
    package var status: Int?
  }

  /// A top-level member whose name is the daemon's own and is prefixed when it is passed on.
  struct Rename: Hashable, Sendable {
    /// The name between its quotes.
    var contents: Range<Int>
    /// It is `request_id`; else it is `hotline`.
    var isRequestID: Bool

    var newName: StaticString { isRequestID ? "upstream_request_id" : "upstream_hotline" }
  }

  /// Objects and arrays within one another in one message. More than any client may be allowed,
  /// for a server's last event repeats the request within itself, and one that is too deep to be
  /// read would never end it.
  package static let depthMax = 512

  package internal(set) var kind = Kind.progress
  /// The value of `type`, if it is a string.
  package internal(set) var type: JSONText?
  /// The `type` begins with `response.`.
  package internal(set) var isResponseEvent = false
  /// The `type` is `response.created`.
  package internal(set) var isResponseCreated = false
  /// Top-level `stream_id`: the lane.
  package internal(set) var streamID: JSONText?
  /// Top-level `response_id`.
  package internal(set) var topResponseID: JSONText?
  /// `response.id`.
  package internal(set) var nestedResponseID: JSONText?
  /// `response.status`.
  package internal(set) var responseStatus: JSONText?
  /// `response.usage` as it is spelt, unless it is null.
  package internal(set) var usage: Range<Int>?
  /// What it answers to a client's message about its response: `response.steer.accepted` and such.
  package internal(set) var controlAnswer: ControlAnswer?
  /// `steer.previous_response_id`.
  package internal(set) var steeredResponseID: JSONText?
  /// `steer.id` is a string: the server took the message before.
  var hasSteerID = false
  /// `response.incomplete_details.reason` is `steered`: another response goes on in its place.
  package internal(set) var isSteered = false
  /// What an `error` says; empty for every other kind.
  package internal(set) var failure = Failure()

  /// Offset after the opening brace.
  var bodyStart = 0
  var isEmptyObject = false
  var hasLineFeed = false
  /// Stays unallocated where no name is to be changed.
  var renames: [Rename] = []

  /// The response that the event speaks of.
  package var responseID: JSONText? { nestedResponseID ?? topResponseID ?? steeredResponseID }

  /// Reads one message.
  ///
  /// - Parameters:
  ///   - isBinary: it came as a binary message (RFC 6455, 5.6), which no event is.
  ///   - depthMax: objects and arrays that may be open at once.
  /// - Throws: why it is no event.
  package init(
    _ message: UnsafeRawBufferPointer, isBinary: Bool = false, depthMax: Int = Self.depthMax
  ) throws(Unusable) {
    guard !isBinary else { throw .binary }
    var reader = UpstreamEnvelopeReader(message, depthMax: depthMax)
    let isObject: Bool
    do throws(JSONError) {
      isObject = try reader.readDocument(into: &self)
    } catch {
      throw .invalidJSON(error)
    }
    guard isObject else { throw .notAnObject }
    guard reader.typeCount <= 1 else { throw .duplicateType }
    if let type {
      // Nearly all events are this one: it is told by one comparison.
      if type.equals("response.output_text.delta", in: message) {
        isResponseEvent = true
        kind = .text
      } else {
        guard !type.starts(with: "hotline.", in: message) else { throw .reservedType }
        classify(type, in: message)
      }
    }
    if kind != .error { failure = Failure() }
    // In a valid text every raw LF is white space between tokens (RFC 8259, 7).
    hasLineFeed = message.baseAddress.map { memchr($0, 0x0A, message.count) != nil } ?? false
  }

  private mutating func classify(_ type: JSONText, in message: UnsafeRawBufferPointer) {
    // Of the connection, whatever its name says: some servers send it before the response begins.
    let isMetadata = type.equals("response.metadata", in: message)
    isResponseEvent = !isMetadata && type.starts(with: "response.", in: message)
    guard isResponseEvent else {
      if type.equals("error", in: message) {
        kind = .error
      } else if isMetadata || Self.isNotice(type, in: message) {
        kind = .notice
      }
      return
    }
    if type.equals("response.output_text.delta", in: message)
      || type.equals("response.text.delta", in: message)
    {
      kind = .text
    } else if type.equals("response.created", in: message) {
      isResponseCreated = true
    } else if let outcome = outcome(of: type, in: message) {
      kind = .terminal(outcome)
    } else {
      controlAnswer = controlAnswer(type, in: message)
    }
  }

  private func controlAnswer(
    _ type: JSONText, in message: UnsafeRawBufferPointer
  ) -> ControlAnswer? {
    if type.equals("response.steer.accepted", in: message) { return .accepted }
    if type.equals("response.steer.pending", in: message) { return .pending }
    if type.equals("response.steer.failed", in: message) {
      return .failed(wasAccepted: hasSteerID)
    }
    if type.equals("response.inject.created", in: message) { return .applied }
    if type.equals("response.inject.failed", in: message) { return .failed(wasAccepted: false) }
    let isOther =
      type.starts(with: "response.steer.", in: message)
      || type.starts(with: "response.inject.", in: message)
      || type.starts(with: "response.interrupt.", in: message)
    return isOther ? .other : nil
  }

  private func outcome(of type: JSONText, in message: UnsafeRawBufferPointer) -> Outcome? {
    if type.equals("response.completed", in: message) { return .completed }
    if type.equals("response.failed", in: message) { return .failed }
    if type.equals("response.incomplete", in: message) { return .incomplete }
    if type.equals("response.cancelled", in: message) { return .cancelled }
    guard type.equals("response.done", in: message) else { return nil }
    // Realtime servers end every response with the same type and say how in its status.
    guard let responseStatus else { return .failed }
    if responseStatus.equals("completed", in: message) { return .completed }
    if responseStatus.equals("incomplete", in: message) { return .incomplete }
    if responseStatus.equals("cancelled", in: message) { return .cancelled }
    return .failed
  }

  private static func isNotice(_ type: JSONText, in message: UnsafeRawBufferPointer) -> Bool {
    type.equals("session.created", in: message)
      || type.equals("session.updated", in: message)
      || type.equals("rate_limits.updated", in: message)
      || type.equals("codex.rate_limits", in: message)
      || type.equals("ping", in: message)
      || type.equals("keepalive", in: message)
  }
}
