import HotlineWire

/// The line that `ask` sends.
struct AskRequest: Hashable {
  /// The only request of its connection.
  static let requestID = "ask"

  var text: String
  var model: String?
  var instructions: String?
  var upstream: String?
  /// Longest whole request.
  var timeoutMilliseconds: Int?

  /// With its LF. What is not given is left to the daemon.
  var line: [UInt8] {
    LocalLine.line { line in
      line.member("type", "response.create")
      line.member("request_id", Self.requestID)
      if upstream != nil || timeoutMilliseconds != nil {
        line.name("hotline")
        line.beginObject()
        if let upstream { line.member("upstream", upstream) }
        if let timeoutMilliseconds { line.member("timeout_ms", timeoutMilliseconds) }
        line.endObject()
      }
      line.name("response")
      line.beginObject()
      if let model { line.member("model", model) }
      if let instructions { line.member("instructions", instructions) }
      line.name("input")
      line.beginArray()
      appendMessage(to: &line)
      line.endArray()
      line.endObject()
    }
  }

  private func appendMessage(to line: inout JSONWriter) {
    line.beginObject()
    line.member("type", "message")
    line.member("role", "user")
    line.name("content")
    line.beginArray()
    line.beginObject()
    line.member("type", "input_text")
    line.member("text", text)
    line.endObject()
    line.endArray()
    line.endObject()
  }

  static let cancelLine = LocalLine.line { line in
    line.member("type", "response.cancel")
    line.member("request_id", requestID)
  }
}

extension LocalLine {
  /// One line with LF.
  static func line(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var bytes: [UInt8] = []
    appendLine(to: &bytes, body)
    return bytes
  }
}
