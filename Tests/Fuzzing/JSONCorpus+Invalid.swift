internal import HotlineWire

extension JSONCorpus {
  package static let invalid: [Group] =
    cutShort + wrongTokens + wrongStructure + wrongNumbers + wrongStrings + followed

  private static let cutShort: [Group] = [
    Group(
      "2: a text has one value, not none", .documentEmpty,
      [
        "", " ", "\n", "\t\r\n ", "        ",
      ]),
    Group(
      "5: an array ends with a bracket", .documentEnds,
      [
        "[", "[1", "[1,", "[[", "[{", "[[]", "[{}", "[ ", "[1 ", "[1, ", "[null", "[\"a\"",
      ]),
    Group(
      "4: an object ends with a brace", .documentEnds,
      [
        "{", "{ ", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":[", "{\"a\":{}",
        "{\"a\" ", "{\"a\": ", "{\"a\":1, ",
      ]),
    Group(
      "7: a string ends with a quote that has no backslash before it", .documentEnds,
      [
        "\"", "\"a", #""\""#, #""a\\\""#, "[\"abcdefgh", "[\"abcdefghi", "{\"", "{\"a", "\"é",
      ]),
    Group(
      "7: an escape is whole", .documentEnds,
      [
        #""\"#, #""a\\\"#, #""\u"#, #""\u0"#, #""\u004"#, #""\ud83d\ude0"#,
      ]),
    Group(
      "6: a number has digits after its minus, point and exponent", .documentEnds,
      [
        "-", "1.", "1e", "1e+", "1E-", "-1.", "[-", "[1.", "0e", "0.",
      ]),
    Group(
      "3: a literal is whole", .documentEnds,
      [
        "t", "tr", "tru", "f", "fals", "n", "nul", "[t", "{\"a\":nu",
      ]),
  ]

  private static let wrongTokens: [Group] = [
    Group(
      "2: these characters begin no value", .valueExpected,
      [
        "'a'", "#", "(1)", "\\", "\\u0031", "=1", "*", "<a>", "&", "%31", "@", "!", "?", "~", "`a`",
        "_", "$", ";", "|", "^", "\u{7f}",
      ]),
    Group("2: JSON has no comments", .valueExpected, ["// a", "/* a */1", "[/**/]", "#1"]),
    Group(
      "2: no other white space than space, tab, LF and CR", .valueExpected,
      [
        "\u{b}1", "\u{c}1", "\u{a0}1", "\u{2028}1", "\u{3000}1", "\u{85}1", "[\u{c}]", "[1,\u{b}2]",
        "[\u{2060}]",
      ]),
    Group("2: a NUL is no white space and ends nothing", .valueExpected, ["\u{0}", "[1,\u{0}]"]),
    Group("3: letters outside of ASCII begin no value", .valueExpected, ["é", "[１]", "∞"]),
    Group(
      "8.1: a byte order mark is none where something precedes it", .valueExpected,
      [
        " \u{feff}1", "[\u{feff}]", "{\"a\":\u{feff}1}",
      ]),
    Group(
      "3: literals are in lower case", .literalInvalid,
      [
        "True", "FALSE", "Null", "tRue", "truE", "[True]", "[1,NULL]",
      ]),
    Group(
      "3: there are three literals and no others", .literalInvalid,
      [
        "trux", "falso", "nulx", "undefined", "a", "{\"a\":yes}", "nil", "t1", "n\"\"", "[tru]",
        "[fals,1]", "[nul]", "x", "none",
      ]),
    Group(
      "6: Infinity and NaN are not permitted", .literalInvalid,
      [
        "NaN", "nan", "Infinity", "inf", "[NaN]", "{\"a\":Infinity}",
      ]),
  ]

  private static let wrongStructure: [Group] = [
    Group(
      "5: a comma stands between two values", .valueExpected,
      [
        "[,", "[,1]", "[1,]", "[1,,2]", "[1, ]", "[\"\",]", "[,]",
      ]),
    Group(
      "2: a closing bracket, comma or colon is no value", .valueExpected,
      [
        "]", "}", ",", ":", "[:]", "[}", "{\"a\":]",
      ]),
    Group(
      "4: a value follows the colon", .valueExpected,
      [
        "{\"a\":}", "{\"a\":,}", "{\"a\"::1}", "{\"a\":,\"b\":1}",
      ]),
    Group(
      "4: a name is a string in double quotes", .nameExpected,
      [
        "{1", "{1:2}", "{a:1}", "{'a':1}", "{null:1}", "{[]:1}", "{{}:1}", "{:1}", "{-",
        "{\u{0}\"a\":1}", "{\"a\":1,b:2}", "[{1:2}]", "{\"a\":{b}}", "{é:1}", "{\\u0061:1}",
      ]),
    Group(
      "4: a comma stands between two members", .nameExpected,
      [
        "{,", "{,\"a\":1}", "{\"a\":1,}", "{\"a\":1,,\"b\":2}", "{\"a\":1, }", "[{,}]", "{,}",
      ]),
    Group("4: an object ends with a brace and with nothing else", .nameExpected, ["{]", "{)"]),
    Group(
      "4: a colon stands between name and value", .colonExpected,
      [
        "{\"a\"}", "{\"a\",", "{\"a\" 1}", "{\"a\"=1}", "{\"a\"\"b\"}", "{\"a\"]", "{\"a\",\"b\"}",
        "[{\"a\"}]", "{\"a\";1}", "{\"a\" \"b\":1}", "{\"a\"\u{a0}:1}", "{\"a\" b}",
      ]),
    Group(
      "4: a comma or a brace follows a member", .commaOrBraceExpected,
      [
        "{\"a\":1 2", "{\"a\":1]", "{\"a\":1:", "{\"a\":1\"b\":2}", "{\"a\":1;\"b\":2}",
        "{\"a\":{}{}}", "{\"a\":[][]}", "{\"a\":true false}", "{\"a\":1.2.3}", "{\"a\":0x1}",
        "{\"a\":truefalse}", "{\"a\":\"b\"\"c\"}", "[{\"a\":1]", "{\"a\":1\u{b}}", "{\"a\":nullx}",
        "{\"a\":1 // b\n}", "{\"a\":\"b\" c}",
      ]),
    Group(
      "5: a comma or a bracket follows a value", .commaOrBracketExpected,
      [
        "[1 2]", "[1}", "[1:2]", "[1;2]", "[[]{}]", "[{}[]]", "[\"a\"\"b\"]", "[true false]",
        "[1.2.3]", "[0x1]", "[1\u{0}]", "[\"a\"b]", "[1'2']", "[[1}", "[{}}", "[1 /* a */]",
        "[nulll]", "[1_000]", "[1\u{a0}]", "[\"a\":1]", "[1,2)", "[1a]",
      ]),
  ]

  private static let wrongNumbers: [Group] = [
    Group(
      "6: no zero before other digits", .numberInvalid,
      [
        "00", "01", "-00", "-01", "0123", "[01]", "{\"a\":00}", "00.5", "01e5", "-012",
      ]),
    Group("6: no plus before a number", .numberInvalid, ["+1", "+", "[+1]", "+0", "++1"]),
    Group("6: a digit before the point", .numberInvalid, [".5", ".", "-.5", "[.5]", "[-.1]"]),
    Group(
      "6: a digit after the point", .numberInvalid,
      [
        "1.a", "1.e5", "1.]", "[1.]", "1..5", "1.-5", "1. 5", "[1.,2]",
      ]),
    Group(
      "6: a digit after the minus", .numberInvalid,
      [
        "--1", "-+1", "-a", "[-]", "{\"a\":-}", "-Infinity", "-NaN", "-\"1\"", "-e1", "- 1",
        "[-\u{0}]",
      ]),
    Group(
      "6: a digit in the exponent", .numberInvalid,
      [
        "1e]", "1ee5", "1e+-5", "1e.5", "1e++5", "[1e]", "0e ", "[1e+]", "1e+}", "1ea",
      ]),
  ]

  private static let wrongStrings: [Group] = [
    Group(
      "7: controls below U+0020 are escaped", .controlCharacter,
      [
        "\"\n\"", "\"\r\"", "\"\t\"", "\"\u{0}\"", "\"\u{1}\"", "\"\u{1f}\"", "\"a\nb\"",
        "\"abcdefgh\n\"", "\"abcdefg\n\"", "{\"a\n\":1}", "{\"a\":\"\u{8}\"}", "[\"\u{b}\"]",
        "\"é\n\"", #""\n"# + "\n\"", "\"abc\ndefghijklmn\"", "\"abcdefg\u{0}",
      ]),
    Group(
      "7: these letters follow no backslash", .escapeInvalid,
      [
        #""\a""#, #""\v""#, #""\0""#, #""\x41""#, #""\'""#, #""\U0041""#, #"{"\z":1}"#,
        #""abcdefgh\q""#, "\"\\\n\"", "\"\\\u{0}\"", "\"\\é\"", #""\N""#, #""\T""#, #""\ ""#,
        #""\1""#, #"["\e"]"#, "\"\\\t\"",
      ]),
    Group(
      "7: four hexadecimal digits follow \\u", .escapeInvalid,
      [
        #""\u""#, #""\u1""#, #""\u12""#, #""\u123""#, #""\u123g""#, #""\uG000""#, #""\u 123""#,
        #""\u-123""#, #""\u+123""#, #""\ud83d\u""#, #""\u{41}""#, #""\u00\u00""#, #""\u１２３４""#,
      ]),
  ]

  private static let followed: [Group] = [
    Group(
      "2: one value, and white space after it", .bytesAfterValue,
      [
        "1 2", "{}{}", "[][]", "[]]", "{}}", "1,", "true false", "nullx", "truefalse", "\"a\"b",
        "\"a\"\"b\"", "0 0", "{} x", "[] //", "{}\n{}", "null,", "1 ]", "{}#", "[1],",
      ]),
    Group(
      "6: a number ends where the grammar ends it", .bytesAfterValue,
      [
        "1.2.3", "0x10", "1a", "1e5e5", "1.5e5.5", "0-1", "1+1", "1-", "-0-0", "0true", "1_000",
        "1f",
      ]),
    Group(
      "2: neither NUL nor other white space may follow", .bytesAfterValue,
      [
        "1\u{0}", "[]\u{0}", "1\u{a0}", "1\u{b}", "\"\"\u{feff}", "{}\u{c}",
      ]),
  ]

  /// Strings whose bytes are no UTF-8 (8.1), between quotes; clauses here are RFC 3629's.
  package static let illFormed: [Group] = [
    strings(
      "3: a continuation byte continues something",
      [
        [0x80], [0xBF], [0xC3, 0xA9, 0x80], [0x41, 0x80], [0xE2, 0x82, 0xAC, 0xBF],
      ]),
    strings(
      "4: bytes that stand nowhere",
      [
        [0xC0], [0xC1], [0xF5], [0xF8], [0xFC], [0xFE], [0xFF], [0xE2, 0x82, 0xAC, 0xFF],
        [0x61, 0x62, 0x63, 0x64, 0xFF], [0xF8, 0x88, 0x80, 0x80, 0x80],
        [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80],
      ]),
    strings(
      "3: a sequence is whole",
      [
        [0xC2], [0xDF], [0xE0], [0xED], [0xEF], [0xF0], [0xF4], [0xE0, 0xA0], [0xE2, 0x82],
        [0xEF, 0xBF], [0xF0, 0x90], [0xF0, 0x90, 0x80], [0xF0, 0x9F, 0x98],
      ]),
    strings(
      "3: continuation bytes are 80 to BF",
      [
        [0xC2, 0x00], [0xC2, 0x7F], [0xC2, 0xC0], [0xDF, 0xFF], [0xE0, 0xA0, 0x7F],
        [0xE0, 0xA0, 0xC0], [0xE1, 0x7F, 0x80], [0xE1, 0xC0, 0x80], [0xE2, 0x82, 0x41],
        [0xEF, 0xBF, 0xC0], [0xF0, 0x9F, 0x98, 0x41], [0xF0, 0x9F, 0x98, 0xC0],
        [0xF1, 0x7F, 0x80, 0x80],
      ]),
    strings(
      "3: nothing longer than it needs to be",
      [
        [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
        [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      ]),
    strings(
      "3: no surrogates, not in pairs either",
      [
        [0xED, 0xA0, 0x80], [0xED, 0xAF, 0xBF], [0xED, 0xB0, 0x80], [0xED, 0xBF, 0xBF],
        [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80],
      ]),
    strings(
      "3: nothing beyond U+10FFFF",
      [
        [0xF4, 0x90, 0x80, 0x80], [0xF4, 0xBF, 0xBF, 0xBF], [0xF5, 0x80, 0x80, 0x80],
      ]),
  ]

  private static func strings(_ why: String, _ contents: [[UInt8]]) -> Group {
    Group(why, .utf8Invalid, bytes: contents.map { [0x22] + $0 + [0x22] })
  }
}
