internal import HotlineCore
internal import HotlineWire

extension FuzzTarget {
  func checkMessage(_ input: [UInt8]) throws(BrokenProperty) {
    // What the framer makes of it: one line, and none that is blank.
    let line = input.map { $0 == 0x0A ? 0x20 : $0 }
    let message = line.withUnsafeBytes { ClientMessage.parse($0) }
    let isJSON = verdict(line) == nil
    switch message {
    case .request(let request):
      try hold(isJSON, "a request that is no JSON")
      if let spelling = request.idSpelling { try checkID(spelling, of: line) }
      try hold((request.id == nil) == (request.idSpelling == nil), "an id without its spelling")
      for dialect in Self.dialects { try checkSent(request.body, line, dialect) }
    case .forward(let forwarded):
      try hold(isJSON, "a message that is no JSON")
      try checkID(forwarded.idSpelling, of: line)
      try checkForwarded(forwarded, line)
    case .refused(let error, let spelling):
      try hold((error.code == .invalidJSON) == !isJSON, "JSON: \(isJSON), refused: \(error)")
      if let spelling { try checkID(spelling, of: line) }
      try checkRefusal(error, spelling.map { Array(line[$0]) })
    default:
      try hold(isJSON, "\(message) of what is no JSON")
    }
  }

  private static let dialects = [
    UpstreamDialect(envelope: .flat, forcesStoreFalse: false),
    UpstreamDialect(envelope: .nested, forcesStoreFalse: false),
    UpstreamDialect(envelope: .flat, defaultModel: "m\"", defaultInstructions: "é\n"),
    UpstreamDialect(envelope: .nested, defaultModel: "m\"", defaultInstructions: "é\n"),
  ]

  /// An id is a JSON string or integer, and can be written into any line as it is spelt.
  private func checkID(_ spelling: Range<Int>, of line: [UInt8]) throws(BrokenProperty) {
    try hold(spelling.lowerBound >= 0 && spelling.upperBound <= line.count, "an id outside")
    let text = Array(line[spelling])
    try hold(verdict(text) == nil && text.first != 0x20, "the id \(shown(text)) is no JSON")
  }

  private func checkSent(
    _ body: RequestBody, _ line: [UInt8], _ dialect: UpstreamDialect
  ) throws(BrokenProperty) {
    guard let message = try? dialect.message(for: body) else { return }
    let sent = line.withUnsafeBytes { message.bytes(of: $0) }
    try hold(sent.count == message.byteCount, "\(sent.count) bytes, not \(message.byteCount)")
    // Put into a nested envelope a body is one level deeper than it was.
    try hold(verdict(sent, depthMax: 65) == nil, "no JSON is sent: \(shown(sent))")
    let copied = body.kept.reduce(0) { $0 + $1.count }
    try hold(sent.count >= copied, "bytes are missing: \(shown(sent))")
    if dialect == Self.dialects[1] {
      let expected =
        Array(#"{"type":"response.create","response":{"#.utf8) + body.kept.flatMap { line[$0] }
        + Array("}}".utf8)
      try hold(sent == expected, "\(shown(sent)) instead of \(shown(expected))")
      try checkSentAgain(sent, dialect)
    }
  }

  /// The nested envelope of a request is a request whose nested envelope is the same.
  private func checkSentAgain(
    _ sent: [UInt8], _ dialect: UpstreamDialect
  ) throws(BrokenProperty) {
    var limits = ClientMessage.Limits()
    limits.depthMax = 65
    let again = sent.withUnsafeBytes { ClientMessage.parse($0, limits: limits) }
    guard case .request(let request) = again else {
      throw BrokenProperty(description: "\(shown(sent)) is sent, but read it is \(again)")
    }
    let message = try? dialect.message(for: request.body)
    let bytes = sent.withUnsafeBytes { message?.bytes(of: $0) }
    try hold(bytes == sent, "\(shown(sent)) is sent, and then \(shown(bytes ?? []))")
  }

  private func checkForwarded(
    _ forwarded: ForwardedMessage, _ line: [UInt8]
  ) throws(BrokenProperty) {
    let dialect = Self.dialects[0]
    let responseID = forwarded.responseID ?? ByteString("resp_\"1".utf8)
    guard let message = try? dialect.message(for: forwarded, responseID: responseID) else {
      throw BrokenProperty(description: "a message to its own response is refused")
    }
    let sent = line.withUnsafeBytes { message.bytes(of: $0) }
    try hold(sent.count == message.byteCount, "\(sent.count) bytes, not \(message.byteCount)")
    try hold(verdict(sent) == nil, "no JSON is forwarded: \(shown(sent))")
    let other = ByteString(responseID.bytes + [0x78])
    let isRefused = (try? dialect.message(for: forwarded, responseID: other)) == nil
    try hold(isRefused == (forwarded.responseID != nil), "another response's message is forwarded")
  }

  /// The answer is one line of JSON, with nothing in it that could disturb a terminal.
  private func checkRefusal(
    _ error: HotlineError, _ requestID: [UInt8]?
  ) throws(BrokenProperty) {
    var answer: [UInt8] = []
    LocalLine.Failure(requestID: requestID, error: error, isAccepted: false).append(to: &answer)
    try hold(answer.popLast() == 0x0A && !answer.contains(0x0A), "no line: \(shown(answer))")
    try hold(verdict(answer) == nil, "no JSON: \(shown(answer))")
    try hold(error.detail.utf8.count < 2000, "a message of \(error.detail.utf8.count) bytes")
    for text in [error.detail, error.param ?? ""] {
      let isSafe = text.unicodeScalars.allSatisfy { scalar in
        scalar.properties.generalCategory != .control
          && scalar.properties.generalCategory != .format
      }
      try hold(isSafe, "control characters in \(text.debugDescription)")
    }
  }
}
