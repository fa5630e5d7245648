import Glibc
import Testing

@testable import hotline

/// Limits at their edges, and the small pure parts.
@Suite struct StreamTests {
  private func observed(_ text: String, lineBytesMax: Int, chunkBytes: Int) -> [String] {
    var observer = LineObserver(lineBytesMax: lineBytesMax)
    var lines: [String] = []
    func note(_ line: UnsafeRawBufferPointer, _ isWhole: Bool) {
      lines.append(String(decoding: line, as: UTF8.self) + (isWhole ? "" : "…"))
    }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      Array(rest.prefix(chunkBytes)).withUnsafeBytes { observer.observe($0, note) }
      rest = rest.dropFirst(chunkBytes)
    }
    observer.finish(note)
    return lines
  }

  @Test func observerSeesLinesHoweverTheyAreCut() {
    for chunkBytes in 1...12 {
      #expect(
        observed("abcd\nabcde\n\nx", lineBytesMax: 4, chunkBytes: chunkBytes)
          == ["abcd", "abcd…", "", "x"])
    }
  }

  @Test func readerRefusesTheFirstByteTooMany() throws {
    for (line, isGood) in [("abcd", true), ("abcde", false)] {
      var reader = LineReader(lineBytesMax: 4)
      reader.unread.append(Array("\n\(line)\n".utf8))
      let result = Result { () throws(CommandFailure) in
        try reader.next { String(decoding: $0, as: UTF8.self) }
      }
      #expect((try? result.get()) == (isGood ? line : nil))
    }
  }

  @Test func materialHasALimit() throws {
    func material(_ count: Int) throws(CommandFailure) -> String {
      var ends: [Int32] = [-1, -1]
      #expect(pipe(&ends) == 0)
      let bytes = [UInt8](repeating: 0x78, count: count)
      #expect(write(ends[1], bytes, count) == count)
      close(ends[1])
      defer { close(ends[0]) }
      return try InputText.readMaterial(from: ends[0], bytesMax: 10)
    }
    #expect(try material(10).utf8.count == 10)
    #expect(throws: CommandFailure.self) { try material(11) }
  }

  @Test func queueKeepsItsBytesInOrder() {
    var queue = ByteQueue()
    var next: UInt8 = 0
    var expected: UInt8 = 0
    for round in 0..<2000 {
      queue.append((0..<300).map { UInt8(truncatingIfNeeded: Int(next) + $0) })
      next &+= UInt8(truncatingIfNeeded: 300)
      let count = round % 2 == 0 ? 100 : 499
      queue.withUnread { bytes in
        for byte in bytes.prefix(count) {
          if byte != expected { Issue.record("byte \(byte) where \(expected) was due") }
          expected &+= 1
        }
      }
      queue.drop(count)
    }
    queue.drop(Int.max)
    #expect(queue.isEmpty)
  }

  @Test func worstOfManyOutcomesComesFirst() {
    #expect(ExitStatus.worstFirst.map(\.rawValue) == [1, 3, 75, 77, 78, 69])
  }

  @Test func quantitiesAreWrittenForPeople() {
    #expect(Quantity.fixed(0.05, decimals: 1) == "0.1")
    #expect(Quantity.fixed(-1.005, decimals: 1) == "-1.0")
    #expect(Quantity.fixed(.infinity, decimals: 1) == "inf")
    #expect(Quantity.dollars(12.5) == "12.5000 USD")
    #expect(Quantity.dollars(0.0021) == "0.0021 USD")
    #expect(Quantity.dollars(0.000018) == "0.000018 USD")
    #expect(Quantity.dollars(0) == "0.0000 USD")
    #expect(Quantity.milliseconds(99.94) == "99.9 ms")
    #expect(Quantity.milliseconds(10_000) == "10.0 s")
    #expect(Quantity.seconds(59) == "59 s")
    #expect(Quantity.seconds(3599) == "59 min 59 s")
    #expect(Quantity.seconds(90_000) == "1 d 1 h")
    #expect(Quantity.seconds(.nan) == "?")
    #expect(Quantity.bytes(1023) == "1023 B")
    #expect(Quantity.bytes(1024) == "1.0 KiB")
  }

  @Test func inputIsJoinedOnlyWhereBothAreThere() {
    #expect(InputText.joined(arguments: [], material: nil) == nil)
    #expect(InputText.joined(arguments: [""], material: "\n") == nil)
    #expect(InputText.joined(arguments: ["a", "b"], material: "") == "a b")
    #expect(InputText.joined(arguments: ["a"], material: "b\n\n") == "a\n\nb\n")
  }
}
