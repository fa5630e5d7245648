/// What was agreed with a server about compressing messages: permessage-deflate, RFC 7692, 7.1.
package struct DeflateParameters: Hashable, Sendable {
  /// The server begins each message anew.
  package var serverNoContextTakeover = false
  /// We have to.
  package var clientNoContextTakeover = false
  /// Windows as powers of two, 8...15.
  package var serverMaxWindowBits = 15
  package var clientMaxWindowBits = 15

  package init() {}

  /// What the upgrade offers: that the server may limit our window too (7.1.2.2).
  static let offer = "permessage-deflate; client_max_window_bits"

  /// What is wrong with an answer; completes "the answer to the upgrade …".
  enum Problem: String, Error, Hashable {
    case notOffered = "is a 101 that uses an extension nobody asked for"
    case repeated = "is a 101 that accepts permessage-deflate more than once"
    case malformed = "is a 101 whose Sec-WebSocket-Extensions field is malformed"
    case unknownParameter = "is a 101 that gives permessage-deflate a parameter it does not have"
    case repeatedParameter = "is a 101 that gives a parameter of permessage-deflate twice"
    case invalidValue = "is a 101 that gives a parameter of permessage-deflate an invalid value"
  }

  /// Reads the values of `Sec-WebSocket-Extensions`; `nil` where they accept nothing.
  static func accepted(
    _ fields: [[UInt8]], wasOffered: Bool
  ) throws(Problem) -> DeflateParameters? {
    var accepted: DeflateParameters?
    for field in fields {
      for element in try ExtensionField.elements(field) {
        guard wasOffered, element.name == "permessage-deflate" else { throw .notOffered }
        guard accepted == nil else { throw .repeated }
        accepted = try DeflateParameters(element.parameters)
      }
    }
    return accepted
  }

  private init(_ parameters: [ExtensionField.Parameter]) throws(Problem) {
    var seen: Set<String> = []
    for (name, value) in parameters {
      guard seen.insert(name).inserted else { throw .repeatedParameter }
      switch name {
      case "server_no_context_takeover":
        guard value == nil else { throw .invalidValue }
        serverNoContextTakeover = true
      case "client_no_context_takeover":
        guard value == nil else { throw .invalidValue }
        clientNoContextTakeover = true
      case "server_max_window_bits": serverMaxWindowBits = try Self.windowBits(value)
      case "client_max_window_bits": clientMaxWindowBits = try Self.windowBits(value)
      default: throw .unknownParameter
      }
    }
  }

  /// An answer has to give the number, without leading zeroes (7.1.2).
  private static func windowBits(_ value: String?) throws(Problem) -> Int {
    switch value {
    case "8": 8
    case "9": 9
    case "10": 10
    case "11": 11
    case "12": 12
    case "13": 13
    case "14": 14
    case "15": 15
    default: throw .invalidValue
    }
  }
}

/// The grammar of `Sec-WebSocket-Extensions` (RFC 6455, 9.1).
enum ExtensionField {
  typealias Parameter = (name: String, value: String?)
  typealias Element = (name: String, parameters: [Parameter])

  /// Empty elements of the list are skipped (RFC 9110, 5.6.1.2).
  static func elements(_ field: [UInt8]) throws(DeflateParameters.Problem) -> [Element] {
    var elements: [Element] = []
    for element in try split(field[...], at: 0x2C) where !element.isEmpty {
      let parts = try split(element, at: 0x3B)
      var parameters: [Parameter] = []
      for part in parts.dropFirst() { parameters.append(try parameter(part)) }
      elements.append((try token(parts[0]), parameters))
    }
    return elements
  }

  private static func parameter(
    _ part: ArraySlice<UInt8>
  ) throws(DeflateParameters.Problem) -> Parameter {
    guard let equals = part.firstIndex(of: 0x3D) else { return (try token(part), nil) }
    let name = try token(trimmed(part[..<equals]))
    var value = trimmed(part[(equals + 1)...])
    if value.count >= 2, value.first == 0x22, value.last == 0x22 {
      // What is quoted has to be a token all the same, so an escape only hides a token's byte.
      value = value.dropFirst().dropLast()
      let bytes = value.enumerated().filter { index, byte in
        byte != 0x5C || (index > 0 && value[value.startIndex + index - 1] == 0x5C)
      }
      value = bytes.map(\.element)[...]
    }
    return (name, try token(value))
  }

  /// Cuts at a separator outside of quotes.
  private static func split(
    _ bytes: ArraySlice<UInt8>, at separator: UInt8
  ) throws(DeflateParameters.Problem) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = bytes.startIndex
    var isQuoted = false
    var isEscaped = false
    for index in bytes.indices {
      let byte = bytes[index]
      if isEscaped {
        isEscaped = false
      } else if isQuoted, byte == 0x5C {
        isEscaped = true
      } else if byte == 0x22 {
        isQuoted.toggle()
      } else if byte == separator, !isQuoted {
        parts.append(trimmed(bytes[start..<index]))
        start = index + 1
      }
    }
    guard !isQuoted else { throw .malformed }
    return parts + [trimmed(bytes[start...])]
  }

  private static func token(
    _ bytes: ArraySlice<UInt8>
  ) throws(DeflateParameters.Problem) -> String {
    guard !bytes.isEmpty, bytes.allSatisfy(isTokenByte) else { throw .malformed }
    return String(decoding: bytes, as: UTF8.self)
  }
}
