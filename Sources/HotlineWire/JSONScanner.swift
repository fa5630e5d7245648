package enum JSONKind: UInt8, Sendable { case object, array, string, number, `true`, `false`, null }

/// One whole value of a document: where it stands and what it is.
package struct JSONValue: Hashable, Sendable {
  package var kind: JSONKind
  /// Its bytes in the document; those of a string with its quotes.
  package var range: Range<Int>
  /// Whether a string holds escapes; false for every other kind.
  package var hasEscapes: Bool

  /// The contents of a string; nil for every other kind.
  package var text: JSONText? {
    guard kind == .string else { return nil }
    let contents = Range(uncheckedBounds: (range.lowerBound &+ 1, range.upperBound &- 1))
    return JSONText(contents: contents, hasEscapes: hasEscapes)
  }
}

/// Pull cursor over one complete, contiguous document in strict RFC 8259.
///
/// Validates every byte that it passes (UTF-8, escapes, numbers, depth) once, keeps all of them,
/// allocates nothing up to a depth of 64, never recurses, and takes linear time whatever the bytes
/// are. After an error it must not be asked again. Lone surrogate escapes are accepted (RFC 8259,
/// 8.2). The memory must outlive the scanner. Any thread.
package struct JSONScanner {
  let bytes: UnsafeRawBufferPointer
  let end: Int
  private let depthMax: Int
  /// Objects and arrays that are open.
  private var depth = 0
  /// The innermost open object or array was entered and nothing of it read yet.
  private var isAtFirst = false
  /// Offset of the next byte to be read.
  package internal(set) var position = 0

  /// - Parameter depthMax: objects and arrays that may be open at once.
  package init(_ bytes: UnsafeRawBufferPointer, depthMax: Int = 64) {
    self.bytes = bytes
    self.end = bytes.count
    self.depthMax = depthMax
  }

  /// Skips white space and tells the kind of the value that begins here; consumes nothing of it.
  ///
  /// - Throws: what is wrong if no value can begin here.
  package mutating func peekKind() throws(JSONError) -> JSONKind {
    skipWhiteSpace()
    guard position < end else {
      throw JSONError(depth == 0 ? .documentEmpty : .documentEnds, at: end)
    }
    switch bytes[position] {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "-"), 0x30...0x39: return .number
    case UInt8(ascii: "t"): return .true
    case UInt8(ascii: "f"): return .false
    case UInt8(ascii: "n"): return .null
    default: throw valueError()
    }
  }

  /// Consumes the `{` of an object; ``nextName()`` then walks through its members.
  package mutating func enterObject() throws(JSONError) {
    guard try peekKind() == .object else { throw JSONError(.valueExpected, at: position) }
    try enter()
  }

  /// Consumes the `[` of an array; ``nextElement()`` then walks through its elements.
  package mutating func enterArray() throws(JSONError) {
    guard try peekKind() == .array else { throw JSONError(.valueExpected, at: position) }
    try enter()
  }

  /// The next member's name, its colon consumed; nil once the object's `}` has been consumed.
  ///
  /// The member's value must be consumed before this is called again.
  package mutating func nextName() throws(JSONError) -> JSONText? {
    guard try hasNext(closing: UInt8(ascii: "}"), orElse: .commaOrBraceExpected) else {
      return nil
    }
    return try scanName()
  }

  /// Whether another element follows, which must then be consumed; false once the array's `]` has
  /// been consumed.
  package mutating func nextElement() throws(JSONError) -> Bool {
    guard try hasNext(closing: UInt8(ascii: "]"), orElse: .commaOrBracketExpected) else {
      return false
    }
    _ = try peekKind()
    return true
  }

  /// Consumes one whole value, validated to its end however deep it is.
  package mutating func skipValue() throws(JSONError) -> JSONValue {
    let kind = try peekKind()
    let start = position
    var hasEscapes = false
    switch kind {
    case .object, .array: try skipContainer()
    case .string: hasEscapes = try scanString().hasEscapes
    case .number, .true, .false, .null: try skipScalar()
    }
    let range = Range(uncheckedBounds: (start, position))
    return JSONValue(kind: kind, range: range, hasEscapes: hasEscapes)
  }

  /// Checks that nothing but white space follows the root value.
  package mutating func finish() throws(JSONError) {
    precondition(depth == 0, "an object or array is still open")
    skipWhiteSpace()
    guard position == end else { throw JSONError(.bytesAfterValue, at: position) }
  }

  private mutating func enter() throws(JSONError) {
    guard depth < depthMax else { throw JSONError(.depthExceeded, at: position) }
    depth &+= 1
    position &+= 1
    isAtFirst = true
  }

  @inline(__always)
  private mutating func hasNext(
    closing: UInt8, orElse reason: JSONError.Reason
  ) throws(JSONError) -> Bool {
    precondition(depth > 0, "no object or array is open")
    skipWhiteSpace()
    let byte = try currentByte()
    let isFirst = isAtFirst
    isAtFirst = false
    if byte == closing {
      position &+= 1
      depth &-= 1
      return false
    }
    guard !isFirst else { return true }
    guard byte == UInt8(ascii: ",") else { throw JSONError(reason, at: position) }
    position &+= 1
    skipWhiteSpace()
    return true
  }

  /// Consumes an object or array with all that is in it; a stack of bits stands for recursion.
  private mutating func skipContainer() throws(JSONError) {
    var nesting = JSONNesting()
    repeat {
      // A value begins at `position`.
      let byte = try currentByte()
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
        try enter()
        let isObject = byte == UInt8(ascii: "{")
        nesting.push(isObject: isObject)
        skipWhiteSpace()
        let closing = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
        if try currentByte() != closing {
          if isObject { _ = try scanName() }
          skipWhiteSpace()
          continue
        }
      } else if byte == UInt8(ascii: "\"") {
        _ = try scanString()
      } else {
        try skipScalar()
      }
      try skipClosings(&nesting)
    } while nesting.level > 0
    isAtFirst = false
  }

  /// After a value: consumes what it closes, then the comma (and name) before the next value.
  @inline(__always)
  private mutating func skipClosings(_ nesting: inout JSONNesting) throws(JSONError) {
    while nesting.level > 0 {
      skipWhiteSpace()
      let byte = try currentByte()
      let isObject = nesting.isInObject
      if byte == UInt8(ascii: ",") {
        position &+= 1
        skipWhiteSpace()
        if isObject { _ = try scanName() }
        return skipWhiteSpace()
      }
      guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
        throw JSONError(isObject ? .commaOrBraceExpected : .commaOrBracketExpected, at: position)
      }
      position &+= 1
      depth &-= 1
      nesting.pop()
    }
  }
}

/// Which of the open containers are objects: one bit each, the innermost in the lowest bit.
private struct JSONNesting {
  private(set) var level = 0
  private var bits: UInt64 = 0
  /// Full words of outer levels; stays unallocated up to a depth of 64.
  private var outer: [UInt64] = []

  var isInObject: Bool { bits & 1 == 1 }

  @inline(__always)
  mutating func push(isObject: Bool) {
    if level & 63 == 0, level > 0 { outer.append(bits) }
    bits = bits &<< 1 | (isObject ? 1 : 0)
    level &+= 1
  }

  @inline(__always)
  mutating func pop() {
    level &-= 1
    if level & 63 == 0, level > 0 {
      bits = outer.removeLast()
    } else {
      bits &>>= 1
    }
  }
}
