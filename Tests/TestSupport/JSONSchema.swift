import Foundation

/// JSON Schema 2020-12, as far as the protocol's schema uses it; a test holds it against Python's.
///
/// Any thread.
package struct JSONSchema: Sendable {
  private let document: JSON

  /// - Throws: `TestFailure` or what Foundation says, if it cannot be read.
  package init(readingFrom path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TestFailure("there is no schema \(path)")
    }
    document = try JSON(parsing: Array(data))
  }

  package subscript(definition name: String) -> JSON { document["$defs"][name] }

  /// Why a value does not fit one of the definitions, nil if it does.
  ///
  /// - Parameter isClosed: members that the schema does not name are misfits too, unless it says
  ///   that there may be others.
  package func misfit(of value: JSON, to definition: String, isClosed: Bool = false) -> String? {
    check(value, self[definition: definition], "", isClosed)
  }

  private func check(_ value: JSON, _ schema: JSON, _ path: String, _ isClosed: Bool) -> String? {
    guard case .object(let keywords) = schema else {
      return schema == .bool(true) ? nil : "\(path) may not stand here"
    }
    // First, for a line's type says which of several schemas another misfit belongs to, and one
    // without a type fits what is said of any.
    let first = ["properties", "required"]
    for keyword in first {
      guard let argument = keywords[keyword] else { continue }
      let misfit = checkMembers(keyword, argument, keywords, value, path, isClosed)
      if let misfit { return misfit }
    }
    for (keyword, argument) in keywords where !first.contains(keyword) {
      let misfit =
        checkLogic(keyword, argument, keywords, value, path, isClosed)
        ?? checkMembers(keyword, argument, keywords, value, path, isClosed)
        ?? checkValue(keyword, argument, value).map { "\(path) \($0)" }
      if let misfit { return misfit }
    }
    guard isClosed, let named = keywords["properties"], keywords["additionalProperties"] == nil,
      let unknown = value.names.subtracting(named.names).min()
    else { return nil }
    return "\(path)/\(unknown) is not in the schema"
  }

  private func checkLogic(
    _ keyword: String, _ argument: JSON, _ keywords: [String: JSON], _ value: JSON, _ path: String,
    _ isClosed: Bool
  ) -> String? {
    switch keyword {
    case "$ref":
      let name = argument.string?.split(separator: "/").last.map(String.init) ?? ""
      return check(value, self[definition: name], path, isClosed)
    case "allOf":
      return argument.array.firstResult { check(value, $0, path, isClosed) }
    case "anyOf":
      let misfits = argument.array.map { check(value, $0, path, isClosed) }
      guard !misfits.contains(nil) else { return nil }
      // What is of another type says nothing about this one.
      let telling = misfits.compactMap { $0 }.filter { !$0.hasPrefix("\(path)/type ") }
      return telling.isEmpty ? "\(path)/type is unknown" : telling.joined(separator: ", or ")
    case "if":
      let next = check(value, argument, path, false) == nil ? "then" : "else"
      return keywords[next].flatMap { check(value, $0, path, isClosed) }
    default:
      return nil
    }
  }

  private func checkMembers(
    _ keyword: String, _ argument: JSON, _ keywords: [String: JSON], _ value: JSON, _ path: String,
    _ isClosed: Bool
  ) -> String? {
    switch (keyword, argument, value) {
    case ("properties", .object(let schemas), .object(let members)):
      // In one order, so that what is said of several is the same each time.
      let names = schemas.keys.filter { members[$0] != nil }
      return names.sorted { ($0 != "type" ? 1 : 0, $0) < ($1 != "type" ? 1 : 0, $1) }
        .firstResult { name in
          guard let member = members[name], let schema = schemas[name] else { return nil }
          return check(member, schema, "\(path)/\(name)", isClosed)
        }
    case ("additionalProperties", _, .object(let members)):
      let named = keywords["properties"]?.names ?? []
      return members.keys.sorted().filter { !named.contains($0) }.firstResult { name in
        check(members[name] ?? .missing, argument, "\(path)/\(name)", isClosed)
      }
    case ("required", .array(let names), .object(let members)):
      let missing = names.compactMap(\.string).first { members[$0] == nil }
      return missing.map { "\(path)/\($0) is missing" }
    case ("items", _, .array(let items)):
      return items.enumerated().firstResult { check($1, argument, "\(path)/\($0)", isClosed) }
    default:
      return nil
    }
  }

  private func checkValue(_ keyword: String, _ argument: JSON, _ value: JSON) -> String? {
    switch (keyword, value) {
    case ("type", _):
      let types = argument.string.map { [$0] } ?? argument.array.compactMap(\.string)
      return types.contains(where: value.isOfType) ? nil : "is none of \(types)"
    case ("const", _): return value == argument ? nil : "is not \(argument)"
    case ("enum", _): return argument.array.contains(value) ? nil : "is none of \(argument.array)"
    case ("pattern", .string(let text)):
      let matches = text.range(of: argument.string ?? "", options: .regularExpression) != nil
      return matches ? nil : "does not match \(argument)"
    case ("minLength", .string(let text)): return bound(text.unicodeScalars.count >= argument)
    case ("maxLength", .string(let text)): return bound(text.unicodeScalars.count <= argument)
    case ("minItems", .array(let items)): return bound(items.count >= argument)
    case ("minimum", .number(let number)): return bound(number >= argument.number ?? 0)
    case ("maximum", .number(let number)): return bound(number <= argument.number ?? 0)
    default:
      precondition(Self.known.contains(keyword), "the tests do not know \(keyword) in a schema")
      return nil
    }
    func bound(_ holds: Bool) -> String? { holds ? nil : "breaks \(keyword) \(argument)" }
  }

  private static let known: Set<String> = [
    "$ref", "additionalProperties", "allOf", "anyOf", "description", "else", "if", "items",
    "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "properties", "required",
    "then",
  ]
}

extension Int {
  fileprivate static func >= (count: Int, bound: JSON) -> Bool { count >= bound.integer ?? 0 }
  fileprivate static func <= (count: Int, bound: JSON) -> Bool { count <= bound.integer ?? 0 }
}

extension JSON {
  fileprivate func isOfType(_ name: String) -> Bool {
    switch self {
    case .null: name == "null"
    case .bool: name == "boolean"
    case .number(let number): name == "number" || name == "integer" && number.rounded() == number
    case .string: name == "string"
    case .array: name == "array"
    case .object: name == "object"
    case .missing: false
    }
  }
}

extension Sequence {
  fileprivate func firstResult<Result>(_ body: (Element) -> Result?) -> Result? {
    for element in self {
      if let result = body(element) { return result }
    }
    return nil
  }
}
