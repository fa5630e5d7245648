package import HotlineCore

/// The lines that the daemon says for itself, one value each; `append(to:)` adds one line with LF.
///
/// `requestID` is always the JSON string or integer as the client spelt it. Any thread.
package enum LocalLine {
  /// `error`: a line or a request that failed, told from the upstream's by its `hotline` member.
  package struct Failure: Hashable, Sendable {
    /// Nil where the line's id could not be read.
    package var requestID: [UInt8]?
    package var error: HotlineError
    /// Whether a `hotline.done` follows.
    package var isAccepted: Bool

    package init(requestID: [UInt8]?, error: HotlineError, isAccepted: Bool) {
      self.requestID = requestID
      self.error = error
      self.isAccepted = isAccepted
    }

    package func append(to bytes: inout [UInt8]) {
      appendLine(to: &bytes) { line in
        line.member("type", "error")
        line.member("request_id", spelling: requestID)
        line.name("error")
        line.beginObject()
        line.member("type", "hotline_error")
        line.member("code", error.code.rawValue)
        line.member("message", error.detail)
        line.member("param", error.param)
        line.endObject()
        line.name("hotline")
        line.beginObject()
        line.member("accepted", isAccepted)
        line.member("retryable", error.isRetryable)
        line.member("sent", error.sent.rawValue)
        if let status = error.status { line.member("status", status) }
        if let closeCode = error.closeCode { line.member("close_code", closeCode) }
        if let closeReason = error.closeReason { line.member("close_reason", closeReason) }
        line.endObject()
      }
    }
  }

  /// `hotline.queued`: once, of a request that has waited for a while.
  package struct Queued: Hashable, Sendable {
    package var requestID: [UInt8]
    /// How many were waiting at that upstream when it arrived, itself included.
    package var position: Int
    package var reason: QueuedReason

    package init(requestID: [UInt8], position: Int, reason: QueuedReason) {
      self.requestID = requestID
      self.position = position
      self.reason = reason
    }

    package func append(to bytes: inout [UInt8]) {
      appendLine(to: &bytes) { line in
        line.member("type", "hotline.queued")
        line.member("request_id", spelling: requestID)
        line.member("position", position)
        line.member("reason", reason.rawValue)
      }
    }
  }

  /// `hotline.raw`: an upstream's message that is no event.
  package enum Raw {
    /// - Parameter isBinary: it came as a binary message; it then goes in base 64, as does what is
    ///   not well-formed UTF-8.
    package static func append(
      _ message: UnsafeRawBufferPointer, isBinary: Bool, requestID: [UInt8],
      to bytes: inout [UInt8]
    ) {
      appendLine(to: &bytes) { line in
        line.member("type", "hotline.raw")
        line.member("request_id", spelling: requestID)
        line.name("data")
        guard isBinary || !UTF8Sequence.isValid(message) else { return line.string(message) }
        line.base64(message)
        line.member("base64", true)
      }
    }
  }

  /// `hotline.pong`: the answer to `hotline.ping`.
  package struct Pong: Hashable, Sendable {
    /// Nil where the ping had none; the member is then left out.
    package var requestID: [UInt8]?
    package var version: String
    package var processID: Int32
    /// Since the daemon's start; written in whole seconds.
    package var uptime: Duration

    package init(requestID: [UInt8]?, version: String, processID: Int32, uptime: Duration) {
      self.requestID = requestID
      self.version = version
      self.processID = processID
      self.uptime = uptime
    }

    package func append(to bytes: inout [UInt8]) {
      appendLine(to: &bytes) { line in
        line.member("type", "hotline.pong")
        if let requestID { line.member("request_id", spelling: requestID) }
        line.member("protocol", 1)
        line.member("version", version)
        line.member("pid", processID)
        line.member("uptime_s", uptime.components.seconds)
      }
    }
  }

  /// `hotline.ok`: what a line asked for has been done.
  package struct Ok: Hashable, Sendable {
    /// Nil where the line had none; the member is then left out.
    package var requestID: [UInt8]?
    /// What of it could not be done, a sentence each; the member is left out where there is none.
    package var warnings: [String]

    package init(requestID: [UInt8]?, warnings: [String] = []) {
      self.requestID = requestID
      self.warnings = warnings
    }

    package func append(to bytes: inout [UInt8]) {
      appendLine(to: &bytes) { line in
        line.member("type", "hotline.ok")
        if let requestID { line.member("request_id", spelling: requestID) }
        guard !warnings.isEmpty else { return }
        line.name("warnings")
        line.beginArray()
        for warning in warnings { line.string(warning) }
        line.endArray()
      }
    }
  }

  /// Adds one line to `bytes` in place: `{`, the members that `body` writes, `}` and LF.
  package static func appendLine(to bytes: inout [UInt8], _ body: (inout JSONWriter) -> Void) {
    var line = JSONWriter()
    swap(&line.bytes, &bytes)
    line.beginObject()
    body(&line)
    line.endObject()
    line.endLine()
    swap(&line.bytes, &bytes)
  }
}
