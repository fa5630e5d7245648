import Fuzzing
import HotlineWire
import TestSupport
import Testing

@Suite struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test func commasStandWhereTheyBelong() {
    let text = written {
      $0.beginObject()
      $0.name("a")
      $0.beginArray()
      $0.integer(1)
      $0.beginArray()
      $0.endArray()
      $0.null()
      $0.beginObject()
      $0.endObject()
      $0.boolean(true)
      $0.endArray()
      $0.name(text: "b\"")
      $0.string("x\n")
      $0.name("c")
      $0.raw(Array("{\"d\":\n1}".utf8))
      $0.name("e")
      $0.base64(UnsafeRawBufferPointer(start: nil, count: 0))
      $0.endObject()
      $0.endLine()
      $0.boolean(false)
    }
    let expected = #"{"a":[1,[],null,{},true],"b\"":"x\n","c":{"d": 1},"e":""}"#
    #expect(text == expected + "\nfalse")
  }

  @Test func whatIsThereAlreadyStays() {
    var writer = JSONWriter(Array("1\n".utf8))
    writer.null()
    #expect(writer.bytes == Array("1\nnull".utf8))
  }

  @Test(arguments: [
    (0.0, 3, "0.0"), (-0.0, 3, "0.0"), (1, 3, "1.0"), (212.4, 3, "212.4"), (0.0021, 9, "0.0021"),
    (0.0005, 3, "0.001"), (0.0004, 3, "0.0"), (-0.0004, 3, "0.0"), (-1.5, 1, "-1.5"),
    (1840.25, 1, "1840.3"), (999.9999, 3, "1000.0"), (0.1 + 0.2, 9, "0.3"),
    (1e-9, 9, "0.000000001"),
    (1e15, 3, "1000000000000000.0"), (1e300, 3, "1e+300"), (-1e300, 9, "-1e+300"),
    (.infinity, 3, "null"), (-.infinity, 3, "null"), (.nan, 3, "null"), (1e16, 9, "1e+16"),
  ])
  func decimalsAreRoundedAndAlwaysJSON(value: Double, decimalsMax: Int, expected: String) {
    #expect(written { $0.decimal(value, decimalsMax: decimalsMax) } == expected)
  }

  @Test func everyDoubleIsWrittenAsJSON() {
    var random = SplitMix64(seed: 21)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: random.next())
      let text = written { $0.decimal(value, decimalsMax: 1 + random.below(9)) }
      #expect(verdict(Array(text.utf8)) == nil, "\(text)")
    }
  }

  @Test(arguments: [
    (Duration.zero, "0.0"), (.milliseconds(1), "1.0"), (.microseconds(212_400), "212.4"),
    (.microseconds(1), "0.001"), (.nanoseconds(499), "0.0"), (.nanoseconds(500), "0.001"),
    (.nanoseconds(999_999), "1.0"), (.seconds(1800), "1800000.0"), (.microseconds(-1500), "-1.5"),
    (.nanoseconds(-1), "0.0"), (.seconds(Int64.max), "9223372036854775.807"),
    (.seconds(Int64.min), "-9223372036854775.808"),
  ])
  func durationsAreMillisecondsWithOneToThreeDecimals(duration: Duration, expected: String) {
    #expect(written { $0.milliseconds(duration) } == expected)
  }

  @Test func integersAreWrittenWhole() {
    #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
    #expect(written { $0.integer(Int64.min) } == "-9223372036854775808")
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"), ("\u{ff}\u{ff}?>", "w7/Dvz8+"),
  ])
  func base64IsThatOfRFC4648(text: String, expected: String) {
    var out: [UInt8] = []
    Array(text.utf8).withUnsafeBytes { Base64.append($0, to: &out) }
    #expect(String(decoding: out, as: UTF8.self) == expected)
  }
}
