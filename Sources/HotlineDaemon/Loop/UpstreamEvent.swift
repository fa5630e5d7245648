import HotlineCore
import HotlineTransport
import HotlineWire
import Logging

/// One message of an upstream while it is at hand: its bytes belong to the read that brought them.
enum UpstreamEvent {
  case event(UpstreamEnvelope, UnsafeRawBufferPointer)
  /// Not one valid JSON object, or one that only the daemon may write.
  case unusable(UnsafeRawBufferPointer, isBinary: Bool)

  init(_ message: UnsafeRawBufferPointer, isBinary: Bool) {
    do throws(UpstreamEnvelope.Unusable) {
      self = .event(try UpstreamEnvelope(message, isBinary: isBinary), message)
    } catch {
      self = .unusable(message, isBinary: isBinary)
    }
  }

  var isOfResponse: Bool {
    switch self {
    case .event(let envelope, _): envelope.isResponseEvent
    case .unusable: false
    }
  }

  /// What it says of the server's limits.
  ///
  /// - Parameter clock: tells seconds since 1970.
  func rateLimits(clock: () -> Int64) -> [RateLimit] {
    guard case .event(let envelope, let message) = self,
      envelope.kind == .notice || envelope.kind == .error
    else { return [] }
    return RateLimitReader.limits(ofEvent: message, clock: clock())
  }

  /// What the core needs to know of it.
  ///
  /// - Parameter redactor: what an error says becomes words of the log and of last lines.
  func facts(_ redactor: SecretRedactor) -> EventFacts {
    guard case .event(let envelope, let message) = self else { return EventFacts(.unusable) }
    let kind: EventFacts.Kind =
      switch envelope.kind {
      case .text: .text
      case .progress: .progress
      case .terminal(let outcome): .terminal(Outcome(outcome))
      case .error: .error
      case .notice: .notice
      }
    var facts = EventFacts(kind, isResponseEvent: envelope.isResponseEvent)
    facts.lane = envelope.lane(in: message)
    facts.responseID = envelope.responseID?.decoded(in: message)
    facts.controlAnswer = envelope.controlAnswer
    facts.isSuperseded = envelope.isSteered
    if case .terminal = kind {
      facts.usage = envelope.usage.map { ByteString(UnsafeRawBufferPointer(rebasing: message[$0])) }
    }
    if kind == .error {
      facts.errorCode = envelope.failure.code?.decoded(in: message)
      facts.errorType = envelope.failure.type?.decoded(in: message)
      facts.errorStatus = envelope.failure.status
      facts.errorParam = envelope.failure.param?.decoded(in: message)
      facts.errorDetail = errorDetail(envelope.failure, message, redactor)
    }
    return facts
  }

  /// Of an error's code and of its message.
  private static let errorBytesMax = 256

  /// Code and message of an error, made safe to show.
  private func errorDetail(
    _ failure: UpstreamEnvelope.Failure, _ message: UnsafeRawBufferPointer,
    _ redactor: SecretRedactor
  ) -> String {
    let parts = [failure.code ?? failure.type, failure.message].compactMap { text in
      text.map { excerpt(of: $0, Self.errorBytesMax, message, redactor).shown }
    }
    return parts.isEmpty ? "an error without words" : parts.joined(separator: ": ")
  }

  /// Characters of a name or an id that the log repeats.
  private static let evidenceCharactersMax = 64

  /// Its type, lane and response, made safe to log; nothing of what it says.
  func evidence(_ redactor: SecretRedactor) -> Logger.Metadata {
    guard case .event(let envelope, let message) = self else { return ["event": "no event at all"] }
    let names = [
      "event": envelope.type, "lane": envelope.streamID, "response": envelope.responseID,
    ]
    return names.mapValues { text in
      guard let text else { return "none" }
      let (shown, isWhole) = excerpt(of: text, Self.evidenceCharactersMax, message, redactor)
      return "\(shown)\(isWhole ? "" : "…")"
    }
  }

  /// The beginning of a string of the message, made safe to show.
  private func excerpt(
    of text: JSONText, _ count: Int, _ message: UnsafeRawBufferPointer,
    _ redactor: SecretRedactor
  ) -> (shown: String, isWhole: Bool) {
    let (opening, isWhole) = text.opening(count + redactor.lookaheadBytes, in: message)
    let shown = redactor.show(opening.bytes, bytesMax: count)
    return (shown, isWhole && opening.bytes.count <= count)
  }

  func write(to client: ClientHandler, idSpelling: [UInt8], scratch: inout [UInt8]) {
    switch self {
    case .event(let envelope, let message):
      Self.write(envelope, message, to: client, idSpelling: idSpelling)
    case .unusable(let message, let isBinary):
      scratch.removeAll(keepingCapacity: true)
      LocalLine.Raw.append(message, isBinary: isBinary, requestID: idSpelling, to: &scratch)
      client.write(scratch)
    }
  }

  /// The event's own bytes with the client's id in them, straight into the client's buffer.
  static func write(
    _ envelope: UpstreamEnvelope, _ message: UnsafeRawBufferPointer, to client: ClientHandler,
    idSpelling: [UInt8]
  ) {
    let count = envelope.lineByteCount(
      messageCount: message.count, requestIDCount: idSpelling.count)
    idSpelling.withUnsafeBytes { id in
      client.write(byteCount: count) { target in
        _ = envelope.writeLine(of: message, requestID: id, into: target)
      }
    }
  }
}

extension UpstreamEnvelope {
  /// The lane that it says it is of.
  func lane(in message: UnsafeRawBufferPointer) -> LaneReference {
    guard let streamID else { return .none }
    guard streamID.hasEscapes else { return LaneName.reference(to: message[streamID.contents]) }
    return LaneName.reference(to: streamID.decoded(in: message).bytes)
  }

  /// A `response.*` progress event that names no response.
  var isPlainProgress: Bool {
    guard isResponseEvent, responseID == nil, controlAnswer == nil else { return false }
    switch kind {
    case .text, .progress: return true
    case .terminal, .error, .notice: return false
    }
  }
}

extension Outcome {
  init(_ outcome: UpstreamEnvelope.Outcome) {
    switch outcome {
    case .completed: self = .completed
    case .failed: self = .failed
    case .incomplete: self = .incomplete
    case .cancelled: self = .cancelled
    }
  }
}
