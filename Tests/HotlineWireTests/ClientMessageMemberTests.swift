import Testing

@testable import HotlineWire

@Suite struct ClientMessageMemberTests {
  private func member(_ literal: String) throws -> ClientMessageMember? {
    try Array(literal.utf8).withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      let value = try scanner.skipValue()
      return ClientMessageMember.named(try #require(value.text), in: bytes)
    }
  }

  /// As it stands, and with its first letter escaped.
  @Test(arguments: ClientMessageMember.allCases)
  func eachIsKnownByItsName(member: ClientMessageMember) throws {
    let name = "\(member.name)"
    #expect(try self.member("\"\(name)\"") == member)
    let first = try #require(name.unicodeScalars.first).value
    let escape = "\\u00" + String(first, radix: 16)
    #expect(try self.member("\"\(escape)\(name.dropFirst())\"") == member)
    #expect(try self.member("\"\(name)x\"") == nil)
    #expect(try self.member("\"\(name.dropLast())X\"") == nil)
  }
}
