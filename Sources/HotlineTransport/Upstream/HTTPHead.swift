import HotlineWire
import NIOCore

/// What a server's head must not be; the sentence completes "the answer to the upgrade …".
enum HTTPHeadError: String, Error, Hashable {
  case notHTTP = "is not HTTP/1.x"
  case tooLong = "has a head that exceeds the limit"
  case tooManyFields = "has more header fields than the limit"
  case bareLineEnd = "has a CR or LF that is no CRLF"
  case statusLine = "has a malformed status line"
  case foldedField = "has a header field folded over lines"
  case malformedField = "has a malformed header field"
}

/// The status line and header fields of one HTTP/1.x answer (RFC 9112, 4 and 5).
struct HTTPHead: Hashable {
  var minorVersion: Int
  var status: Int
  var reason: [UInt8]
  /// Names in lower case, values without the white space around them, in the order received.
  var fields: [Field]

  struct Field: Hashable {
    var name: String
    var value: [UInt8]
  }

  func values(_ name: String) -> [[UInt8]] {
    fields.lazy.filter { $0.name == name }.map(\.value)
  }

  /// The value of a field that may stand once; `nil` if it stands not at all or more often.
  func single(_ name: String) -> [UInt8]? {
    let values = values(name)
    return values.count == 1 ? values[0] : nil
  }

  /// Whether a comma-separated list has `token`, in any case (RFC 9110, 5.6.1).
  func lists(_ token: String, in name: String) -> Bool {
    values(name).contains { value in
      value.split(separator: 0x2C).contains {
        trimmed($0).map(lowercased).elementsEqual(token.utf8)
      }
    }
  }
}

/// Collects one head, byte by byte, from a stream that may be cut anywhere.
struct HTTPHeadReader {
  let headBytesMax: Int
  let fieldsMax: Int
  /// What has been read; all that there is to show should it be refused.
  private(set) var bytes: [UInt8] = []

  private static let prefix = Array("HTTP/1.".utf8)

  init(headBytesMax: Int, fieldsMax: Int) {
    self.headBytesMax = headBytesMax
    self.fieldsMax = fieldsMax
  }

  /// Consumes up to the head's empty line; `nil` while that has not come.
  mutating func read(_ input: inout ByteBuffer) throws(HTTPHeadError) -> HTTPHead? {
    while let byte = input.readInteger(as: UInt8.self) {
      let previous = bytes.last
      bytes.append(byte)
      if bytes.count <= Self.prefix.count, byte != Self.prefix[bytes.count - 1] { throw .notHTTP }
      guard bytes.count <= headBytesMax else { throw .tooLong }
      guard (previous == 0x0D) == (byte == 0x0A) else { throw .bareLineEnd }
      if byte == 0x0A, bytes.suffix(4).elementsEqual([0x0D, 0x0A, 0x0D, 0x0A]) {
        return try parse()
      }
    }
    return nil
  }

  private func parse() throws(HTTPHeadError) -> HTTPHead {
    // Every CR is followed by LF and every LF follows a CR: read() has seen to it.
    var lines = bytes.dropLast(4).split(separator: 0x0A, omittingEmptySubsequences: false)[...]
    guard let statusLine = lines.popFirst() else { throw .statusLine }
    var head = try parseStatusLine(withoutCR(statusLine))
    guard lines.count <= fieldsMax else { throw .tooManyFields }
    for line in lines { head.fields.append(try parseField(withoutCR(line))) }
    return head
  }

  private func withoutCR(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    line.last == 0x0D ? line.dropLast() : line
  }

  /// `HTTP/1.x SP status SP reason`; the last space may be missing, as many servers leave it out.
  private func parseStatusLine(_ line: ArraySlice<UInt8>) throws(HTTPHeadError) -> HTTPHead {
    let text = Array(line)
    guard text.count >= 12, let minor = decimal(text[7..<8]), text[8] == 0x20,
      let status = decimal(text[9..<12]), (100...999).contains(status),
      text.count == 12 || text[12] == 0x20, text.allSatisfy(isFieldByte)
    else { throw .statusLine }
    return HTTPHead(
      minorVersion: minor, status: status, reason: Array(text.dropFirst(13)), fields: [])
  }

  private func parseField(_ line: ArraySlice<UInt8>) throws(HTTPHeadError) -> HTTPHead.Field {
    if let first = line.first, first == 0x20 || first == 0x09 { throw .foldedField }
    guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex,
      line[..<colon].allSatisfy(isTokenByte), line[colon...].allSatisfy(isFieldByte)
    else { throw .malformedField }
    let name = String(decoding: line[..<colon].map(lowercased), as: UTF8.self)
    return HTTPHead.Field(name: name, value: Array(trimmed(line[(colon + 1)...])))
  }
}

/// `bytes` without spaces and tabs at either end.
func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
  guard let last = bytes.lastIndex(where: { !isBlank($0) }) else { return [] }
  return bytes[...last].drop(while: isBlank)
}

/// A byte that may stand in a field's name: `tchar` of RFC 9110, 5.6.2.
func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
  default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}

/// A byte that may stand in a field's value: RFC 9110, 5.5.
func isFieldByte(_ byte: UInt8) -> Bool {
  byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
}
