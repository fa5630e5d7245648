import HotlineWire

/// What `ask` needs of one line from the daemon, found in one pass.
///
/// Valid only while the bytes of the line are.
struct DaemonLine {
  enum Kind: Hashable {
    case textDelta
    /// The model's words for why it does not answer.
    case refusal
    /// `hotline.queued`.
    case queued
    /// The last event of a response, whatever its outcome.
    case terminal
    case error
    case done
    /// Any other event of the server.
    case event
    /// Any other line of the daemon.
    case other
  }

  let bytes: UnsafeRawBufferPointer
  private(set) var kind = Kind.other
  /// The text of a `.textDelta`.
  private(set) var delta: JSONText?
  /// The words of a `.refusal`.
  private(set) var refusal: JSONText?
  private var responseValue: JSONValue?
  private var requestIDValue: JSONValue?

  /// The response object of a `.terminal`.
  var response: JSONView? { responseValue.map { JSONView($0, in: bytes) } }

  /// Nil where it is missing or null.
  var requestID: JSONView? {
    guard let value = requestIDValue, value.kind != .null else { return nil }
    return JSONView(value, in: bytes)
  }

  /// As ``init(_:)``.
  ///
  /// - Throws: `.failed`, as nobody but a `hotlined` is to be spoken with.
  static func read(_ bytes: UnsafeRawBufferPointer) throws(CommandFailure) -> DaemonLine {
    do throws(JSONError) {
      return try DaemonLine(bytes)
    } catch {
      throw CommandFailure(
        .failed,
        "what answers is no hotlined: it sent a line that is no JSON object (\(error)); "
          + "check the socket's path with \"hotline get-sockname\"")
    }
  }

  /// - Throws: why it is no JSON object.
  init(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
    self.bytes = bytes
    var scanner = JSONScanner(bytes, depthMax: JSONView.depthMax)
    var hasType = false
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      if name.equals("type", in: bytes), !hasType {
        hasType = true
        if let type = value.text { kind = Self.kind(of: type, in: bytes) }
      } else if name.equals("delta", in: bytes) {
        delta = value.text
      } else if name.equals("refusal", in: bytes) {
        refusal = value.text
      } else if name.equals("request_id", in: bytes) {
        requestIDValue = value
      } else if name.equals("response", in: bytes), value.kind == .object {
        responseValue = value
      }
    }
    try scanner.finish()
  }

  private static func kind(of type: JSONText, in bytes: UnsafeRawBufferPointer) -> Kind {
    if type.equals("response.output_text.delta", in: bytes)
      || type.equals("response.text.delta", in: bytes)
    {
      return .textDelta
    }
    if type.starts(with: "hotline.", in: bytes) {
      if type.equals("hotline.done", in: bytes) { return .done }
      return type.equals("hotline.queued", in: bytes) ? .queued : .other
    }
    if type.equals("error", in: bytes) { return .error }
    if type.equals("response.refusal.done", in: bytes) { return .refusal }
    let isTerminal =
      type.equals("response.completed", in: bytes) || type.equals("response.failed", in: bytes)
      || type.equals("response.incomplete", in: bytes) || type.equals("response.done", in: bytes)
      || type.equals("response.cancelled", in: bytes)
    return isTerminal ? .terminal : .event
  }
}
