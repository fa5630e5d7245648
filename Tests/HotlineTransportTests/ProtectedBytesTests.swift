import Testing

@testable import HotlineTransport

@Suite struct ProtectedBytesTests {
  private func protected(_ text: String) -> ProtectedBytes { .copy(of: Array(text.utf8)) }

  @Test func partsAreJoinedAndCompared() {
    let parts = Array("Bearer ".utf8).withUnsafeBytes { first in
      Array("sk-1".utf8).withUnsafeBytes { ProtectedBytes(first, $0) }
    }
    #expect(parts == protected("Bearer sk-1"))
    #expect(parts != protected("Bearer sk-2"))
    #expect(parts != protected("Bearer sk-"))
    #expect(parts.dropping(7) == protected("sk-1"))
    #expect(protected("A-bZ@[").lowercasedCopy() == protected("a-bz@["))
    #expect(Set([protected("a"), protected("a"), protected("b")]).count == 2)
  }

  @Test func noBytesAreNothing() {
    #expect(protected("").count == 0)
    #expect(protected("") == protected("").lowercasedCopy())
    #expect(protected("a").dropping(1) == protected(""))
  }

  @Test func theyCannotBePrinted() {
    var dumped = ""
    dump(protected("canary"), to: &dumped)
    let all = "\(protected("canary")) \([protected("canary")]) \(dumped)"
    #expect(!all.contains("canary"))
    #expect(!all.contains("\(UInt8(ascii: "c"))"))
  }

  @Test func aHeaderWithASecretIsWhatTheSameTextMakes() throws {
    let secret = try Array("sk-1".utf8).withUnsafeBytes {
      try UpgradeHeader("Authorization", prefix: "Bearer ", secret: $0)
    }
    #expect(secret == (try UpgradeHeader("Authorization", "Bearer sk-1", isSecret: true)))
    #expect(secret.secrets == [protected("sk-1")])
    #expect(throws: UpgradeHeader.Invalid.self) {
      try Array("sk-1\r\n".utf8).withUnsafeBytes {
        try UpgradeHeader("Authorization", prefix: "Bearer ", secret: $0)
      }
    }
  }
}
