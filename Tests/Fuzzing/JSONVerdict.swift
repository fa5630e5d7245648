package import HotlineWire

/// Why the document is refused; nil if it is accepted.
package func verdict(_ document: [UInt8], depthMax: Int = 64) -> JSONError? {
  document.withUnsafeBytes { verdict($0, depthMax: depthMax) }
}

package func verdict(_ document: UnsafeRawBufferPointer, depthMax: Int = 64) -> JSONError? {
  var scanner = JSONScanner(document, depthMax: depthMax)
  do throws(JSONError) {
    _ = try scanner.skipValue()
    try scanner.finish()
    return nil
  } catch {
    return error
  }
}

/// The same by walking through all objects and arrays with the cursor.
package func walkedVerdict(_ document: [UInt8], depthMax: Int = 64) -> JSONError? {
  document.withUnsafeBytes { bytes in
    var scanner = JSONScanner(bytes, depthMax: depthMax)
    do throws(JSONError) {
      try walk(&scanner)
      try scanner.finish()
      return nil
    } catch {
      return error
    }
  }
}

private func walk(_ scanner: inout JSONScanner) throws(JSONError) {
  switch try scanner.peekKind() {
  case .object:
    try scanner.enterObject()
    while try scanner.nextName() != nil { try walk(&scanner) }
  case .array:
    try scanner.enterArray()
    while try scanner.nextElement() { try walk(&scanner) }
  case .string, .number, .true, .false, .null:
    _ = try scanner.skipValue()
  }
}
