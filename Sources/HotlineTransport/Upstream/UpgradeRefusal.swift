import HotlineCore
import HotlineWire
import NIOCore

/// An answer to the upgrade other than 101, and as much of its body as is shown.
///
/// Pure value; daemon loop.
struct UpgradeRefusal {
  private let head: HTTPHead
  private let redactor: SecretRedactor
  private let bodyBytesMax: Int
  /// With the chunks' own lines if it is chunked.
  private var body: [UInt8] = []

  /// Longest `Location` and reason phrase that are shown.
  private static let fieldBytesMax = 512

  init(_ head: HTTPHead, redactor: SecretRedactor, bodyBytesMax: Int) {
    self.head = head
    self.redactor = redactor
    self.bodyBytesMax = bodyBytesMax
  }

  /// So much is read that a secret across the cut is seen whole; a chunked body has more to it.
  private var bytesWanted: Int {
    guard hasBody else { return 0 }
    let plain = bodyBytesMax + redactor.lookaheadBytes
    return isChunked ? plain * 2 : min(plain, contentLength ?? plain)
  }

  /// RFC 9112, 6.3: what follows the head of these is no body of theirs.
  private var hasBody: Bool { head.status != 204 && head.status != 304 }

  private var isChunked: Bool { head.lists("chunked", in: "transfer-encoding") }

  private var contentLength: Int? { head.single("content-length").flatMap { decimal($0) } }

  /// Nothing more of the body is wanted, or there is none.
  var isComplete: Bool {
    body.count >= bytesWanted || (isChunked && withoutChunkLines(body).isWhole)
  }

  mutating func received(_ input: inout ByteBuffer) {
    let wanted = max(0, bytesWanted - body.count)
    body += input.readableBytesView.prefix(wanted)
    input.moveReaderIndex(to: input.writerIndex)
  }

  var failure: ConnectionFailure {
    ConnectionFailure(
      .upgradeRefused, "the server refused the upgrade: \(text)", status: head.status,
      retryAfter: retryAfter)
  }

  /// Status, where to, what else helps, and the beginning of the body. Secrets are struck out of
  /// all that was read, and only then is it cut.
  var text: String {
    var text = "\(head.status)"
    let reason = redactor.show(head.reason, bytesMax: Self.fieldBytesMax)
    if !reason.isEmpty { text += " \(reason)" }
    let notes = notes
    if !notes.isEmpty { text += " (\(notes.joined(separator: ", ")))" }
    let content = isChunked ? withoutChunkLines(body).content : body
    let end = content.lastIndex { ![0x0A, 0x0D, 0x20].contains($0) }.map { $0 + 1 } ?? 0
    let shown = redactor.show(content[..<end], bytesMax: bodyBytesMax)
    return shown.isEmpty ? text : text + ": \(shown)"
  }

  private var notes: [String] {
    var notes: [String] = []
    if (300..<400).contains(head.status), let location = head.values("location").first {
      let shown = redactor.show(location, bytesMax: Self.fieldBytesMax)
      notes.append("a redirect to \(shown), which is not followed")
    }
    if let retryAfter { notes.append("retry after \(inSeconds(retryAfter))") }
    if let id = head.values("x-request-id").first {
      notes.append("request id \(redactor.show(id, bytesMax: UpgradeFacts.headerBytesMax))")
    }
    return notes
  }

  /// RFC 9110, 10.2.3: seconds, or a date, which is taken relative to the server's own `Date` so
  /// that no clock of ours matters.
  var retryAfter: Duration? {
    guard let value = head.single("retry-after") else { return nil }
    if let seconds = decimal(value) { return .seconds(seconds) }
    guard let until = secondsOfHTTPDate(value),
      let now = head.single("date").flatMap(secondsOfHTTPDate)
    else { return nil }
    return .seconds(max(0, until - now))
  }
}

/// The content of a chunked body (RFC 9112, 7.1) as far as it is there; from a malformed chunk on
/// the bytes as they are, for this is only shown. `isWhole`: the last chunk has come.
func withoutChunkLines(_ body: [UInt8]) -> (content: [UInt8], isWhole: Bool) {
  var content: [UInt8] = []
  var rest = body[...]
  while let lineEnd = rest.firstIndex(of: 0x0A) {
    let digits = rest[..<lineEnd].prefix { $0 != 0x3B && $0 != 0x0D && $0 != 0x20 }
    guard (1...7).contains(digits.count),
      let count = Int(String(decoding: digits, as: UTF8.self), radix: 16), count >= 0
    else { break }
    if count == 0 { return (content, true) }
    let chunk = rest[(lineEnd + 1)...]
    content += chunk.prefix(count)
    rest = chunk.dropFirst(count)
    if rest.first == 0x0D { rest = rest.dropFirst() }
    if rest.first == 0x0A { rest = rest.dropFirst() }
  }
  return (content + rest, false)
}
