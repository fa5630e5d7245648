internal import HotlineCore
internal import HotlineWire

extension FuzzTarget {
  func checkEnvelope(_ message: [UInt8]) throws(BrokenProperty) {
    try checkRaw(message)
    let own = verdict(message, depthMax: UpstreamEnvelope.depthMax)
    let envelope: UpstreamEnvelope
    do throws(UpstreamEnvelope.Unusable) {
      envelope = try read(message)
    } catch {
      if case .invalidJSON(let reason) = error {
        try hold(reason == own, "\(reason), but the scanner says \(own as Any)")
      } else {
        try hold(own == nil, "\(error), but it is no JSON: \(own as Any)")
      }
      return
    }
    try hold(own == nil, "an event that is no JSON: \(own as Any)")
    for requestID in ["\"a\"", "-7"] {
      let line = message.withUnsafeBytes { envelope.line(of: $0, requestID: Array(requestID.utf8)) }
      try checkLine(line, of: message, requestID: Array(requestID.utf8))
      try checkReadAgain(line, envelope, message)
    }
  }

  private func read(_ message: [UInt8]) throws(UpstreamEnvelope.Unusable) -> UpstreamEnvelope {
    let read = message.withUnsafeBytes { bytes in
      Result { () throws(UpstreamEnvelope.Unusable) in try UpstreamEnvelope(bytes) }
    }
    return try read.get()
  }

  /// One line of JSON that begins with the id, and is the message without it.
  private func checkLine(
    _ line: [UInt8], of message: [UInt8], requestID: [UInt8]
  ) throws(BrokenProperty) {
    var rest = line
    try hold(rest.popLast() == 0x0A && !rest.contains(0x0A), "no line: \(shown(line))")
    try hold(
      verdict(rest, depthMax: UpstreamEnvelope.depthMax) == nil, "no JSON: \(shown(line))")
    guard let brace = rest.firstIndex(of: 0x7B) else {
      throw BrokenProperty(description: "no object: \(shown(line))")
    }
    let member = Array("\"request_id\":".utf8) + requestID
    try hold(rest[(brace + 1)...].starts(with: member), "no id: \(shown(line))")
    rest.removeSubrange((brace + 1)...(brace + member.count))
    if rest[brace + 1] == 0x2C { rest.remove(at: brace + 1) }
    let names = try ownNames(message)
    // From the last one on, so that the offsets of those before it stay.
    var expected = message.map { $0 == 0x0A ? 0x20 : $0 }
    for (range, name) in names.reversed() {
      expected.replaceSubrange(range, with: "upstream_\(name)".utf8)
    }
    try hold(rest == expected, "\(shown(rest)) instead of \(shown(expected))")
  }

  /// Where top-level members have the daemon's own names.
  private func ownNames(
    _ message: [UInt8]
  ) throws(BrokenProperty) -> [(range: Range<Int>, name: StaticString)] {
    let names = message.withUnsafeBytes { bytes in
      Result { () throws(JSONError) in
        var scanner = JSONScanner(bytes, depthMax: UpstreamEnvelope.depthMax)
        var names: [(range: Range<Int>, name: StaticString)] = []
        try scanner.enterObject()
        while let text = try scanner.nextName() {
          for name: StaticString in ["request_id", "hotline"] where text.equals(name, in: bytes) {
            names.append((text.contents, name))
          }
          _ = try scanner.skipValue()
        }
        return names
      }
    }
    guard let found = try? names.get() else {
      throw BrokenProperty(description: "an event cannot be walked through")
    }
    return found
  }

  /// Read again, the line says the same of itself.
  private func checkReadAgain(
    _ line: [UInt8], _ envelope: UpstreamEnvelope, _ message: [UInt8]
  ) throws(BrokenProperty) {
    guard let again = try? read(line) else {
      throw BrokenProperty(description: "the line cannot be read: \(shown(line))")
    }
    try hold(again.kind == envelope.kind, "\(envelope.kind) became \(again.kind)")
    let texts = [
      (envelope.type, again.type), (envelope.responseID, again.responseID),
      (envelope.streamID, again.streamID), (envelope.failure.code, again.failure.code),
      (envelope.failure.message, again.failure.message),
    ]
    for (before, after) in texts {
      let before = before.map { Array(message[$0.contents]) }
      let after = after.map { Array(line[$0.contents]) }
      try hold(before == after, "\(shown(before ?? [])) became \(shown(after ?? []))")
    }
    let usage = envelope.usage.map { message[$0].map { $0 == 0x0A ? 0x20 : $0 } }
    try hold(usage == again.usage.map { Array(line[$0]) }, "the usage changed")
  }

  /// What is no event comes as a line whose text is the message.
  private func checkRaw(_ message: [UInt8]) throws(BrokenProperty) {
    for isBinary in [false, true] {
      var line: [UInt8] = []
      message.withUnsafeBytes {
        LocalLine.Raw.append($0, isBinary: isBinary, requestID: Array("1".utf8), to: &line)
      }
      try hold(line.popLast() == 0x0A && !line.contains(0x0A), "no line: \(shown(line))")
      try hold(verdict(line) == nil, "no JSON: \(shown(line))")
      guard !isBinary, message.withUnsafeBytes({ UTF8Sequence.isValid($0) }) else { continue }
      let data = line.withUnsafeBytes { bytes -> [UInt8]? in
        var scanner = JSONScanner(bytes)
        var data: [UInt8]?
        try? scanner.enterObject()
        while let name = try? scanner.nextName() {
          let value = try? scanner.skipValue()
          if name.equals("data", in: bytes) { data = value?.text?.decoded(in: bytes).bytes }
        }
        return data
      }
      try hold(data == message, "\(shown(data ?? [])) instead of \(shown(message))")
    }
  }
}
