/// Why a text is no JSON by RFC 8259, and which byte is at fault.
///
/// Holds nothing of the text itself, so it may be logged and shown.
package struct JSONError: Error, Hashable, Sendable {
  package enum Reason: Hashable, Sendable, CaseIterable {
    /// Nothing but white space (RFC 8259, 2: a text is one value).
    case documentEmpty
    /// The text ends inside a value.
    case documentEnds
    /// A byte order mark (RFC 8259, 8.1: not added; to refuse it is allowed).
    case byteOrderMark
    case valueExpected
    case nameExpected
    case colonExpected
    case commaOrBraceExpected
    case commaOrBracketExpected
    /// Something other than `true`, `false` or `null` where one of them begins.
    case literalInvalid
    /// A number that RFC 8259, 6 does not know: `+1`, `01`, `.5`, `1.`, `1e`.
    case numberInvalid
    /// A raw byte below 0x20 inside a string (RFC 8259, 7).
    case controlCharacter
    case escapeInvalid
    case utf8Invalid
    case depthExceeded
    /// Something other than white space after the value.
    case bytesAfterValue
  }

  package var reason: Reason
  /// The byte at fault, counted from 0; the text's length where the text is too short.
  package var offset: Int

  package init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

extension JSONError.Reason: CustomStringConvertible {
  /// What is wrong, as the main clause of a sentence.
  package var description: String {
    switch self {
    case .documentEmpty: "there is no JSON value"
    case .documentEnds: "the text ends inside a value"
    case .byteOrderMark: "a byte order mark stands before the value"
    case .valueExpected: "a value was expected"
    case .nameExpected: "a member name in double quotes was expected"
    case .colonExpected: "a colon was expected after the member name"
    case .commaOrBraceExpected: "a comma or } was expected after the member"
    case .commaOrBracketExpected: "a comma or ] was expected after the element"
    case .literalInvalid: "only true, false and null may stand without quotes"
    case .numberInvalid: "the number is not written as JSON wants it"
    case .controlCharacter: "a string holds a raw control character; write it as an escape"
    case .escapeInvalid: "a string holds an unknown escape"
    case .utf8Invalid: "a string is not valid UTF-8"
    case .depthExceeded: "arrays and objects are nested too deeply"
    case .bytesAfterValue: "something stands after the value"
    }
  }
}

extension JSONError: CustomStringConvertible {
  package var description: String { "\(reason) (byte \(offset))" }
}
