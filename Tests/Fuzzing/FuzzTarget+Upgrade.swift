internal import HotlineCore
import HotlineTransport
import NIOCore

extension FuzzTarget {
  /// Credentials that the server may send back in whatever it says.
  package static let secret = "sk-test-0123456789abcdef"

  func checkUpgrade(_ answer: [UInt8]) throws(BrokenProperty) {
    let plain = try answered(answer, offersDeflate: false)
    let offering = try answered(answer, offersDeflate: true)
    // The offer makes a difference to one kind of answer: a 101 that names an extension.
    let isOfTheOffer = offering.facts?.deflate != nil || offering.failure?.kind == .upgradeInvalid
    try hold(isOfTheOffer || plain == offering, "\(plain), but with the offer \(offering)")
    try hold(plain.facts == nil || plain == offering, "\(plain), but with the offer \(offering)")
    guard let parameters = offering.facts?.deflate else { return }
    try hold(plain.failure?.kind == .upgradeInvalid, "taken though not offered: \(plain)")
    try checkParameters(parameters)
  }

  /// However an answer is cut, the same comes of it.
  private func answered(
    _ answer: [UInt8], offersDeflate: Bool
  ) throws(BrokenProperty) -> Answered {
    let whole = try answered([answer[...]], offersDeflate: offersDeflate)
    var chance = InputChance(answer)
    for pieces in chance.cuts(answer[...]) {
      let split = try answered(pieces, offersDeflate: offersDeflate)
      try hold(split == whole, "in \(pieces.count) pieces \(split), else \(whole)")
    }
    return whole
  }

  /// Written down by the book, what was agreed on is the same.
  private func checkParameters(_ parameters: DeflateParameters) throws(BrokenProperty) {
    let bits = [parameters.serverMaxWindowBits, parameters.clientMaxWindowBits]
    try hold(bits.allSatisfy { (8...15).contains($0) }, "\(parameters)")
    let field =
      "Sec-WebSocket-Extensions: permessage-deflate"
      + (parameters.serverNoContextTakeover ? "; server_no_context_takeover" : "")
      + (parameters.clientNoContextTakeover ? "; client_no_context_takeover" : "")
      + "; server_max_window_bits=\(bits[0]); client_max_window_bits=\(bits[1])\r\n\r\n"
    let again = try answered([Array((Seeds.accepted + field).utf8)[...]], offersDeflate: true)
    try hold(again.facts?.deflate == parameters, "\(field) became \(again)")
  }

  /// What came of an answer.
  private struct Answered: Equatable {
    var facts: UpgradeFacts?
    var failure: ConnectionFailure?
    /// Bytes after the head that belong to the WebSocket.
    var left = 0
  }

  private func answered(
    _ pieces: [ArraySlice<UInt8>], offersDeflate: Bool
  ) throws(BrokenProperty) -> Answered {
    var exchange = try exchange(offersDeflate: offersDeflate)
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

  private func exchange(offersDeflate: Bool) throws(BrokenProperty) -> UpgradeExchange {
    do {
      let headers = [
        try UpgradeHeader("Authorization", "Bearer \(Self.secret)", isSecret: true),
        try UpgradeHeader("Sec-WebSocket-Protocol", "chat, superchat", isSecret: false),
      ]
      let request = UpgradeRequest(
        try UpstreamAddress(url: "wss://h/"), headers: headers,
        nonce: Array("the sample nonce".utf8), offersDeflate: offersDeflate)
      return UpgradeExchange(
        request, redactor: SecretRedactor(headers: headers), limits: UpgradeLimits())
    } catch {
      throw BrokenProperty(description: "no exchange: \(error)")
    }
  }

  /// It may go into a log: one line, not long, and without the key.
  func checkShown(_ texts: [String?], bytesMax: Int) throws(BrokenProperty) {
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
