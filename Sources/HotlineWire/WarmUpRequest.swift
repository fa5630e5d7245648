package import HotlineCore

/// What a server is sent to prepare for requests before any comes: the members that they all share,
/// with `generate:false`, which asks for no output.
///
/// Immutable; any thread.
package struct WarmUpRequest: Hashable, Sendable {
  /// Why a text is no warm-up, in words that repeat nothing of it but names of the daemon's own.
  package struct Problem: Error, Hashable, Sendable {
    package let explanation: String
  }

  /// A line as a client's would be; ``body`` counts from its first byte.
  package let line: [UInt8]
  package let body: RequestBody
  /// Its model, if it names one.
  package let model: ByteString?
  /// Of the text that it was made of.
  package let byteCount: Int

  /// Members that the daemon sets itself, or that have no meaning where nothing came before.
  private static let refused: [StaticString] = [
    "type", "request_id", "hotline", "event_id", "stream", "stream_options", "stream_id",
    "background", "response", "generate", "previous_response_id", "conversation",
  ]
  private static let opening = #"{"type":"response.create","generate":false"#

  /// - Parameter text: one JSON object with members of a request.
  package init(_ text: some Collection<UInt8>) throws(Problem) {
    let bytes = Array(text)
    let members = try Self.members(of: bytes)
    var line = Array(Self.opening.utf8)
    if members.isEmpty { line.append(UInt8(ascii: "}")) } else { line.append(UInt8(ascii: ",")) }
    line += bytes[members]
    // The same road as a client's request from here on.
    let message = line.withUnsafeBytes { ClientMessage.parse($0) }
    switch message {
    case .request(let request):
      (self.line, body, model, byteCount) = (line, request.body, request.model, bytes.count)
    case .refused(let error, _):
      throw Problem(explanation: error.detail)
    case .cancel, .forward, .ping, .status, .stats, .watch, .config, .cancelOther, .drain, .reload:
      preconditionFailure("a response.create was read as something else")
    }
  }

  /// What stands after the opening brace, the closing one included; empty without members.
  private static func members(of bytes: [UInt8]) throws(Problem) -> Range<Int> {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(Problem) in try scan(bytes) }
    }
    return try result.get()
  }

  private static func scan(_ bytes: UnsafeRawBufferPointer) throws(Problem) -> Range<Int> {
    var scanner = JSONScanner(bytes)
    var isEmpty = true
    do {
      guard try scanner.peekKind() == .object else {
        throw Problem(explanation: "is no JSON object")
      }
      try scanner.enterObject()
      let start = scanner.position
      while let name = try scanner.nextName() {
        isEmpty = false
        if let refused = refused.first(where: { name.equals($0, in: bytes) }) {
          throw Problem(explanation: "has a member \(refused), which is not for it; leave it out")
        }
        _ = try scanner.skipValue()
      }
      let end = scanner.position
      try scanner.finish()
      return isEmpty ? start..<start : start..<end
    } catch let error as JSONError {
      throw Problem(explanation: "is not valid JSON: \(error)")
    } catch let problem as Problem {
      throw problem
    } catch {
      preconditionFailure("an error of no known kind")
    }
  }
}
