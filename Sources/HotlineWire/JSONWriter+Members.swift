/// Whole members; an optional value that is nil is written as null.
extension JSONWriter {
  package mutating func member(_ name: StaticString, _ text: String?) {
    self.name(name)
    if let text { string(text) } else { null() }
  }

  package mutating func member(_ name: StaticString, _ value: Bool?) {
    self.name(name)
    if let value { boolean(value) } else { null() }
  }

  package mutating func member<Number: FixedWidthInteger>(_ name: StaticString, _ value: Number?) {
    self.name(name)
    if let value { integer(value) } else { null() }
  }

  package mutating func member(_ name: StaticString, _ duration: Duration?) {
    self.name(name)
    if let duration { milliseconds(duration) } else { null() }
  }

  package mutating func member(_ name: StaticString, spelling: [UInt8]?) {
    self.name(name)
    if let spelling { raw(spelling) } else { null() }
  }
}
