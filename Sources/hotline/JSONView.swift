import HotlineCore
import HotlineWire

/// One value of a line that has been validated; members are looked up when they are asked for.
///
/// Valid only while the bytes of the line are. Each look-up reads the value once more.
struct JSONView {
  /// The value's own bytes, without white space around.
  let bytes: UnsafeRawBufferPointer
  let kind: JSONKind

  init(_ value: JSONValue, in document: UnsafeRawBufferPointer) {
    bytes = UnsafeRawBufferPointer(rebasing: document[value.range])
    kind = value.kind
  }

  /// Objects and arrays that may be open at once in a line from the daemon.
  static let depthMax = 1024

  /// A whole line; nil if it is not one valid JSON object.
  init?(line: UnsafeRawBufferPointer) {
    var scanner = JSONScanner(line, depthMax: Self.depthMax)
    do throws(JSONError) {
      let value = try scanner.skipValue()
      try scanner.finish()
      guard value.kind == .object else { return nil }
      self.init(value, in: line)
    } catch {
      return nil
    }
  }

  /// The first member of that name; nil if there is none, it is null, or this is no object.
  subscript(_ name: StaticString) -> JSONView? {
    guard kind == .object else { return nil }
    var scanner = JSONScanner(bytes, depthMax: Self.depthMax)
    do throws(JSONError) {
      try scanner.enterObject()
      while let candidate = try scanner.nextName() {
        let value = try scanner.skipValue()
        guard candidate.equals(name, in: bytes) else { continue }
        return value.kind == .null ? nil : JSONView(value, in: bytes)
      }
    } catch {}
    return nil
  }

  /// The elements; none if this is no array.
  var elements: [JSONView] {
    guard kind == .array else { return [] }
    var elements: [JSONView] = []
    var scanner = JSONScanner(bytes, depthMax: Self.depthMax)
    do throws(JSONError) {
      try scanner.enterArray()
      while try scanner.nextElement() {
        elements.append(JSONView(try scanner.skipValue(), in: bytes))
      }
    } catch {}
    return elements
  }

  /// The members in their order, names decoded; none if this is no object.
  var members: [(name: String, value: JSONView)] {
    guard kind == .object else { return [] }
    var members: [(name: String, value: JSONView)] = []
    var scanner = JSONScanner(bytes, depthMax: Self.depthMax)
    do throws(JSONError) {
      try scanner.enterObject()
      while let name = try scanner.nextName() {
        let value = JSONView(try scanner.skipValue(), in: bytes)
        members.append((name.decoded(in: bytes).description, value))
      }
    } catch {}
    return members
  }

  /// A string's text, decoded, with what is not Unicode replaced.
  var string: String? {
    guard kind == .string else { return nil }
    var scanner = JSONScanner(bytes)
    return (try? scanner.skipValue())?.text?.decoded(in: bytes).description
  }

  var number: Double? {
    kind == .number ? Double(String(decoding: bytes, as: UTF8.self)) : nil
  }

  var integer: Int? {
    number.flatMap { Int(exactly: $0) }
  }

  var boolean: Bool? {
    switch kind {
    case .true: true
    case .false: false
    case .object, .array, .string, .number, .null: nil
    }
  }
}
