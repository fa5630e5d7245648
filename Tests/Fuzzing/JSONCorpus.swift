package import HotlineWire

/// Hand-made documents, each group of them with the reason why they are valid or not.
///
/// Clauses are those of RFC 8259. After the model of JSONTestSuite (N. Seriot, "Parsing JSON is a
/// Minefield"), with documents of our own: what must be accepted, what must be refused, and what
/// the standard leaves to us.
package enum JSONCorpus {
  package struct Group: Sendable, CustomStringConvertible {
    /// Why the documents are valid or not.
    package let why: String
    /// Why the scanner refuses them; nil if it accepts them.
    package let refusal: JSONError.Reason?
    package let documents: [[UInt8]]

    init(_ why: String, _ refusal: JSONError.Reason, _ documents: [String]) {
      self.init(why, refusal, bytes: documents.map { Array($0.utf8) })
    }

    /// Documents that are accepted.
    init(_ why: String, _ documents: [String]) {
      self.init(why, nil, bytes: documents.map { Array($0.utf8) })
    }

    init(_ why: String, _ refusal: JSONError.Reason?, bytes: [[UInt8]]) {
      self.why = why
      self.refusal = refusal
      self.documents = bytes
    }

    package var description: String { why }
  }

  /// Everything; no document stands twice.
  package static let groups = valid + left + invalid + illFormed

  // MARK: Valid

  package static let valid: [Group] = validScalars + validStrings + validContainers

  private static let validScalars: [Group] = [
    Group("3: a text is any value, not only an object or array", ["true", "false", "null", "5"]),
    Group(
      "6: an integer is a digit, or more that begin with no zero",
      [
        "0", "1", "10", "9", "1234567890", "100", "[0,0]", "{\"a\":0}",
      ]),
    Group("6: a minus may stand before it, before zero too", ["-0", "-1", "[-1]", "-10", "-0.0"]),
    Group(
      "6: a fraction has one digit or more, zeros too",
      [
        "0.0", "0.5", "1.25", "-1.5", "1.000", "[1.5]", "0.1", "10.01",
        "0.000000000000000000000000000001",
      ]),
    Group(
      "6: an exponent has a sign or none, and leading zeros if it likes",
      [
        "0e0", "0E0", "0e+0", "0e-0", "1e5", "1E5", "1e+5", "1E-5", "1.5e10", "-1.5E-10", "1e01",
        "1e00", "0.1e1", "[1e5]", "1e-400", "-0e-0", "2.2250738585072011e-308",
      ]),
  ]

  private static let validStrings: [Group] = [
    Group(
      "7: a string may be empty, or anything but a quote, a backslash and controls",
      [
        #""""#, #""a""#, #"" ""#, #""/""#, #""it's""#, #""{}[]:,""#, #""// no comment""#,
        #"["",""]"#, #""true""#, #""1e5""#, "\"\u{7f}\"",
      ]),
    Group(
      "7: the eight short escapes, of the solidus too",
      [
        #""\"""#, #""\\""#, #""\/""#, #""\b\f\n\r\t""#, #""\\\"""#, #""\\\\""#, #""abcdefg\n""#,
        #""abcdef\n""#, #""\\n""#, #""\\u12""#, #""\\u0041""#,
      ]),
    Group(
      "7: four hexadecimal digits of either case",
      [
        #""\u0000""#, #""\u001f""#, #""\uFFFF""#, #""\uabcd""#, #""\uABCD""#, #""\uaBcD""#,
        #""a\u00e9b\u0301""#, #""\u0022""#, #""\u005C""#, #""\u002f""#, #""\uFEFF""#, #""\u007f""#,
      ]),
    Group(
      "7: beyond U+FFFF two escapes make one character",
      [
        #""\ud83d\ude00""#, #""\uD834\uDD1E""#, #""\ud800\udc00""#, #""\udbff\udfff""#,
      ]),
    Group(
      "8.1: UTF-8 of two to four bytes, to the edges of each length",
      [
        "\"\u{80}\"", "\"\u{7ff}\"", "\"\u{800}\"", "\"é\"", "\"€\"", "\"😀\"",
        "\"\u{d7ff}\u{e000}\"", "\"\u{10000}\u{10ffff}\"", "\"漢字かな交じり\"", "\"e\u{301}\"",
      ]),
    Group(
      "8.1: what Unicode calls no character, and separators, are characters to JSON",
      [
        "\"\u{fffd}\u{fffe}\u{ffff}\"", "\"\u{2028}\u{2029}\"", "\"\u{feff}\"", "\"\u{1fffe}\"",
        "\"\u{85}\u{a0}\"",
      ]),
    Group(
      "7: contents of every length around the eight bytes that are read at once",
      [
        "\"abcdefg\"", "\"abcdefgh\"", "\"abcdefghi\"", "\"abcdefghijklmnop\"", "\"abcdefé\"",
        "\"abcdefgé\"", "\"éabcdefgh\"", "\"abcdefgh€\"", "\"abcdefg😀\"", "\"abcdefg\\\\\"",
      ]),
  ]

  private static let validContainers: [Group] = [
    Group(
      "5: an array has any number of values of any kind",
      [
        "[]", "[[]]", "[{}]", "[1]", "[1,2]", "[1,[2,[3]]]", "[null,true,false]", "[\"\"]",
        #"["a",1,{"b":[true]},null]"#, "[[],[],[[]]]", "[{},{},{}]", "[[],{}]",
        #"[{"a":[{"b":[]}]}]"#,
      ]),
    Group(
      "4: an object has any number of members, each a string, a colon and a value",
      [
        "{}", #"{"a":{}}"#, #"{"a":[]}"#, #"{"a":1}"#, #"{"a":1,"b":2}"#, #"{"a":[],"b":{}}"#,
        #"{"a":{"b":{"c":[1,{"d":null}]}}}"#,
      ]),
    Group(
      "4: a name is any string, the empty one, escapes and all",
      [
        #"{"":0}"#, #"{"\u0061":1}"#, #"{"a\nb":1}"#, #"{"é":1}"#, #"{"\"":1}"#, #"{"\u0000":1}"#,
        #"{"a":1,"A":2}"#,
      ]),
    Group(
      "2: space, tab, LF and CR before and after every token",
      [
        " 1", "1 ", "\t1", "\n1", "\r1", " \t\n\r1\r\n\t ", "[ ]", "{ }", "[\n]", "{\r\n}",
        "[ 1 , 2 ]", "{ \"a\" : 1 , \"b\" : 2 }", "[\n1\n,\n2\n]", "\n\n[]\n\n", "{\"a\"\n:\n1}",
        "[[ ] , { } ]", "  {}  ", "\t\"a\"\t", "[1\t,2]", " true ", "\nnull\r\n", "-0 ",
      ]),
  ]

  // MARK: Left to the implementation

  package static let left: [Group] = [
    Group(
      "4: names SHOULD be unique; what reads the object decides, the scanner takes them",
      [
        #"{"a":1,"a":2}"#, #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"{"":1,"":2}"#,
      ]),
    Group(
      "6: no limit of range or precision; numbers are passed on as they are spelt",
      [
        "123456789012345678901234567890", "1e400", "-1e400", "1e99999999999999999999", "1E-999999",
        "-9223372036854775809", "0.1234567890123456789012345678901234567890",
      ]),
    Group(
      "8.2: escapes of lone surrogates fit the grammar; they are passed on as spelt",
      [
        #""\ud800""#, #""\udc00""#, #""\ud800\ud800""#, #""\udc00\ud800""#, #""\ud83dx""#,
        #""\ud83d\\ude00""#, #"{"\udead":1}"#, #""\ud83d\u0041""#,
      ]),
    Group(
      "9: 64 containers within one another, the limit",
      [
        nested(64, "[", "]"), nested(63, "{\"a\":", "}", inside: "{}"),
        nested(32, "[{\"a\":", "}]", inside: "1"),
      ]),
    Group(
      "9: one container more than the limit", .depthExceeded,
      [
        nested(65, "[", "]"), nested(65, "[", ""), nested(65, "{\"a\":", ""),
        nested(40, "[{\"a\":", ""), nested(1000, "[", ""),
      ]),
    Group(
      "8.1: a byte order mark MUST NOT be added and MAY be ignored; here it is told",
      .byteOrderMark,
      [
        "\u{feff}", "\u{feff}1", "\u{feff}{}", "\u{feff}[]", "\u{feff} \"a\"",
      ]),
  ]

  private static func nested(
    _ count: Int, _ opening: String, _ closing: String, inside: String = ""
  ) -> String {
    String(repeating: opening, count: count) + inside + String(repeating: closing, count: count)
  }
}
