/// Bytes compared as bytes.
///
/// Identifiers from the wire are compared decoded but never normalised: Swift's `String` treats
/// canonically equivalent text as equal, which would let two ids of one client collide.
package struct ByteString: Hashable, Sendable {
  package var bytes: [UInt8]

  package init(_ bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
  }

  package var isEmpty: Bool { bytes.isEmpty }

  /// From the end: the ids of one server begin alike.
  package static func == (left: Self, right: Self) -> Bool {
    var index = left.bytes.count
    guard index == right.bytes.count else { return false }
    while index > 0 {
      index -= 1
      if left.bytes[index] != right.bytes[index] { return false }
    }
    return true
  }
}

extension ByteString: ExpressibleByStringLiteral, CustomStringConvertible {
  package init(stringLiteral value: String) {
    self.init(value.utf8)
  }

  /// The text, with what is not UTF-8 replaced; for messages, never for comparison.
  package var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// A `request_id` as the client means it: decoded, so that two spellings of one string are equal;
/// `1` and `"1"` differ.
package enum RequestID: Hashable, Sendable {
  /// A JSON string, escapes resolved (a lone surrogate becomes its three-byte generalised UTF-8).
  case string(ByteString)
  /// A JSON integer: its digits with an optional minus, `-0` written `0`.
  case integer(ByteString)
}

/// A local connection, numbered from 1 in the order of arrival; shown by `hotline status`.
package struct ClientNumber: Hashable, Comparable, Sendable {
  package let rawValue: UInt64
  package init(_ rawValue: UInt64) { self.rawValue = rawValue }
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// An accepted request, or a warm-up, numbered from 1 through the daemon's life, never reused.
package struct RequestNumber: Hashable, Comparable, Sendable {
  package let rawValue: UInt64
  package init(_ rawValue: UInt64) { self.rawValue = rawValue }
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// An upstream connection, numbered from 1 when it is dialled, never reused: an input that names a
/// connection that is gone can only be stale, and is ignored.
package struct ConnectionNumber: Hashable, Comparable, Sendable {
  package let rawValue: UInt64
  package init(_ rawValue: UInt64) { self.rawValue = rawValue }
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A configured upstream: its index in the order of the configuration.
package struct UpstreamIndex: Hashable, Comparable, Sendable {
  package let rawValue: Int
  package init(_ rawValue: Int) { self.rawValue = rawValue }
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A line of a client's that is answered later than it came; numbered by the driver, never reused.
package struct CommandNumber: Hashable, Comparable, Sendable {
  package let rawValue: UInt64
  package init(_ rawValue: UInt64) { self.rawValue = rawValue }
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Which lane of its connection an event says it is of.
package enum LaneReference: Hashable, Sendable {
  /// It names none.
  case none
  /// One of ``LaneName``'s, by its index.
  case lane(Int)
  /// It names one that the daemon never gave.
  case unknown
}

/// The names of lanes, as the wire's `stream_id` has them: `lane-1` to `lane-16`.
///
/// A fixed set, used again and again: OpenAI's servers take 32 names in a connection's life, and 16
/// responses at once.
package enum LaneName {
  /// Lanes of one connection, at most.
  package static let countMax = 16
  private static let prefix = Array("lane-".utf8)

  package static func name(of lane: Int) -> ByteString {
    precondition((0..<countMax).contains(lane), "there is no such lane")
    return ByteString("lane-\(lane + 1)".utf8)
  }

  package static func reference(to name: some Collection<UInt8>) -> LaneReference {
    guard name.starts(with: prefix) else { return .unknown }
    let digits = name.dropFirst(prefix.count)
    guard (1...2).contains(digits.count), digits.first != UInt8(ascii: "0") else { return .unknown }
    var number = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return .unknown }
      number = number * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return number <= countMax ? .lane(number - 1) : .unknown
  }
}
