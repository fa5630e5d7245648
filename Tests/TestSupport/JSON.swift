import Foundation

/// A JSON document to look into: `line.hotline.sent.string`.
@dynamicMemberLookup
package enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])
  /// A member that is not there.
  case missing

  /// - Throws: what Foundation's parser says.
  package init(parsing text: String) throws {
    try self.init(parsing: Array(text.utf8))
  }

  package init(parsing bytes: [UInt8]) throws {
    self.init(try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed))
  }

  private init(_ value: Any) {
    switch value {
    case let value as String: self = .string(value)
    case let value as [Any]: self = .array(value.map(JSON.init))
    case let value as [String: Any]: self = .object(value.mapValues(JSON.init))
    case let value as NSNumber:
      self =
        isBoolean(value) ? .bool(value.boolValue) : .number(value.doubleValue)
    default: self = .null
    }
  }

  package subscript(dynamicMember name: String) -> JSON { self[name] }

  package subscript(name: String) -> JSON {
    if case .object(let members) = self { members[name] ?? .missing } else { .missing }
  }

  package subscript(index: Int) -> JSON {
    if case .array(let items) = self, items.indices.contains(index) {
      items[index]
    } else {
      .missing
    }
  }

  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var number: Double? { if case .number(let value) = self { value } else { nil } }
  package var integer: Int? { number.flatMap { Int(exactly: $0) } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var array: [JSON] { if case .array(let items) = self { items } else { [] } }
  package var names: Set<String> {
    if case .object(let members) = self { Set(members.keys) } else { [] }
  }
}

/// Foundation keeps booleans as numbers of their own kind.
private func isBoolean(_ number: NSNumber) -> Bool {
  String(cString: number.objCType) == "c"
}

extension JSON {
  /// The text as a JSON string, with its quotes.
  package static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
