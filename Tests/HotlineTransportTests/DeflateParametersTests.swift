import Testing

@testable import HotlineTransport

struct DeflateParametersTests {
  private func accepted(
    _ fields: String..., wasOffered: Bool = true
  ) throws(DeflateParameters.Problem) -> DeflateParameters? {
    try DeflateParameters.accepted(fields.map { Array($0.utf8) }, wasOffered: wasOffered)
  }

  @Test func noFieldAndEmptyFieldsAcceptNothing() throws {
    #expect(try accepted() == nil)
    #expect(try accepted("") == nil)
    #expect(try accepted(" , ,", "") == nil)
    #expect(try accepted(", ,", wasOffered: false) == nil)
  }

  @Test func acceptanceWithoutParametersHasTheDefaults() throws {
    let parameters = try #require(try accepted("permessage-deflate"))
    #expect(parameters == DeflateParameters())
    #expect(!parameters.serverNoContextTakeover)
    #expect(!parameters.clientNoContextTakeover)
    #expect(parameters.serverMaxWindowBits == 15)
    #expect(parameters.clientMaxWindowBits == 15)
  }

  @Test func everyParameterIsTaken() throws {
    var expected = DeflateParameters()
    expected.serverNoContextTakeover = true
    expected.clientNoContextTakeover = true
    expected.serverMaxWindowBits = 8
    expected.clientMaxWindowBits = 12
    let fields = [
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        + "server_max_window_bits=8; client_max_window_bits=12",
      " permessage-deflate\t;client_max_window_bits = \"12\";server_max_window_bits=\"\\8\";"
        + "client_no_context_takeover;server_no_context_takeover ,",
    ]
    for field in fields { #expect(try accepted(field) == expected, "\(field)") }
    #expect(try accepted("", fields[0]) == expected)
  }

  @Test(arguments: 8...15) func everyWindowIsTaken(bits: Int) throws {
    #expect(
      try accepted("permessage-deflate; client_max_window_bits=\(bits)")?.clientMaxWindowBits
        == bits)
    #expect(
      try accepted("permessage-deflate; server_max_window_bits=\(bits)")?.serverMaxWindowBits
        == bits)
  }

  @Test(
    arguments: [
      ("x-webkit-deflate-frame", .notOffered),
      ("permessage-bzip2", .notOffered),
      ("Permessage-Deflate", .notOffered),
      ("permessage-deflate, permessage-bzip2", .notOffered),
      ("permessage-deflate, permessage-deflate", .repeated),
      ("permessage-deflate; window", .unknownParameter),
      ("permessage-deflate; server_max_window_bit=15", .unknownParameter),
      ("permessage-deflate; server_no_context_takeover=1", .invalidValue),
      ("permessage-deflate; client_no_context_takeover=\"true\"", .invalidValue),
      ("permessage-deflate; server_max_window_bits", .invalidValue),
      ("permessage-deflate; client_max_window_bits", .invalidValue),
      ("permessage-deflate; client_max_window_bits=7", .invalidValue),
      ("permessage-deflate; client_max_window_bits=16", .invalidValue),
      ("permessage-deflate; client_max_window_bits=08", .invalidValue),
      ("permessage-deflate; client_max_window_bits=+9", .invalidValue),
      ("permessage-deflate; client_max_window_bits=12x", .invalidValue),
      (
        "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
        .repeatedParameter
      ),
      (
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        .repeatedParameter
      ),
      ("permessage-deflate;", .malformed),
      ("permessage-deflate; =12", .malformed),
      ("permessage-deflate; client_max_window_bits=", .malformed),
      ("permessage-deflate; client_max_window_bits=\"\"", .malformed),
      ("permessage-deflate; client_max_window_bits=\"12", .malformed),
      ("permessage-deflate; client_max_window_bits=1 2", .malformed),
      ("permessage deflate", .malformed),
      ("; server_no_context_takeover", .malformed),
    ] as [(String, DeflateParameters.Problem)])
  func answersThatMayNotBeAreRefused(_ field: String, _ problem: DeflateParameters.Problem) {
    #expect(throws: problem) { try accepted(field) }
  }

  @Test func acceptanceOfWhatWasNotOfferedIsRefused() {
    #expect(throws: DeflateParameters.Problem.notOffered) {
      try accepted("permessage-deflate", wasOffered: false)
    }
  }

  @Test func acceptanceInTwoFieldsIsRefused() {
    #expect(throws: DeflateParameters.Problem.repeated) {
      try accepted("permessage-deflate", "permessage-deflate")
    }
  }
}
