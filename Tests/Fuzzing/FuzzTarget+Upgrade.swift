internal import HotlineCore
import HotlineTransport
import NIOCore

extension FuzzTarget {
  /// Credentials that the server may send back in whatever it says.
  package static let secret = "sk-test-0123456789abcdef"

  func checkUpgrade(_ answer: [UInt8]) throws(BrokenProperty) {
    let whole = try answered([answer[...]])
    var chance = InputChance(answer)
    for pieces in [
      answer.indices.map { answer[$0...$0] }, chance.pieces(answer[...], count: 2),
      chance.pieces(answer[...], count: 4),
    ] {
      let split = try answered(pieces)
      try hold(split == whole, "in \(pieces.count) pieces \(split), else \(whole)")
    }
  }

  /// What came of an answer.
  private struct Answered: Equatable {
    var facts: UpgradeFacts?
    var failure: ConnectionFailure?
    /// Bytes after the head that belong to the WebSocket.
    var left = 0
  }

  private func answered(_ pieces: [ArraySlice<UInt8>]) throws(BrokenProperty) -> Answered {
    var exchange = try exchange()
    var result = Answered()
    var isWaiting = false
    for (index, piece) in pieces.enumerated() {
      var input = ByteBuffer(bytes: piece)
      switch exchange.received(&input) {
      case .incomplete:
        try hold(!isWaiting, "a head after its body")
        try hold(input.readableBytes == 0, "incomplete, with bytes left")
        continue
      case .awaitingBody:
        isWaiting = true
        continue
      case .accepted(let facts):
        try checkShown([facts.subprotocol, facts.server], bytesMax: 600)
        try checkShown(facts.headers.flatMap { [$0.name, $0.value] }, bytesMax: 600)
        result.facts = facts
        result.left = input.readableBytes + pieces[(index + 1)...].reduce(0) { $0 + $1.count }
      case .failed(let failure):
        result.failure = failure
      }
      break
    }
    if isWaiting, result == Answered() { result.failure = exchange.ended() }
    guard var failure = result.failure else { return result }
    try checkShown([failure.detail], bytesMax: 8 << 10)
    try hold(
      failure.kind == .upgradeRefused || failure.kind == .upgradeInvalid, "it is \(failure.kind)")
    try hold((failure.kind == .upgradeRefused) == (failure.status != nil), "\(failure)")
    // Of what is not HTTP, more is shown where more has come.
    if failure.detail.contains("is not HTTP") { failure.detail = "is not HTTP" }
    result.failure = failure
    return result
  }

  private func exchange() throws(BrokenProperty) -> UpgradeExchange {
    do {
      let headers = [
        try UpgradeHeader("Authorization", "Bearer \(Self.secret)", isSecret: true),
        try UpgradeHeader("Sec-WebSocket-Protocol", "chat, superchat", isSecret: false),
      ]
      let request = UpgradeRequest(
        try UpstreamAddress(url: "wss://h/"), headers: headers,
        nonce: Array("the sample nonce".utf8))
      return UpgradeExchange(
        request, redactor: SecretRedactor(headers: headers), limits: UpgradeLimits())
    } catch {
      throw BrokenProperty(description: "no exchange: \(error)")
    }
  }

  /// It may go into a log: one line, not long, and without the key.
  private func checkShown(_ texts: [String?], bytesMax: Int) throws(BrokenProperty) {
    for text in texts.compactMap(\.self) {
      try hold(text.utf8.count <= bytesMax, "a text of \(text.utf8.count) bytes")
      try hold(!text.contains(Self.secret), "the key is shown: \(text.debugDescription)")
      let isSafe = text.unicodeScalars.allSatisfy { scalar in
        scalar.properties.generalCategory != .control
          && scalar.properties.generalCategory != .format
      }
      try hold(isSafe, "control characters in \(text.debugDescription)")
    }
  }
}
