import HotlineWire

/// The form that an answer is to have: `text.format` of a request.
enum OutputSchema {
  static let bytesMax = 1 << 20

  /// The JSON Schema in a file as a strict format; a whole format is taken as it is.
  ///
  /// - Returns: a JSON object as the request has it.
  /// - Throws: `.usage` if the file cannot be read or holds no JSON object.
  static func format(file path: String) throws(CommandFailure) -> [UInt8] {
    let bytes = try InputFile.read(path, bytesMax: bytesMax)
    let format = bytes.withUnsafeBytes { bytes -> [UInt8]? in
      guard let schema = JSONView(line: bytes) else { return nil }
      if schema["type"]?.string == "json_schema" { return Array(schema.bytes) }
      var format = JSONWriter()
      format.beginObject()
      format.member("type", "json_schema")
      format.member("name", name(of: path))
      format.member("strict", true)
      format.name("schema")
      format.raw(Array(schema.bytes))
      format.endObject()
      return format.bytes
    }
    guard let format else {
      throw CommandFailure(.usage, "\(path) is not one JSON object; name a file with a JSON Schema")
    }
    return format
  }

  /// What the server takes for a name: 1–64 of letters, digits, `_` and `-`.
  private static func name(of path: String) -> String {
    let stem = InputFile.name(of: path).prefix { $0 != "." }
    let name = stem.prefix(64).map { character in
      character.isASCII && (character.isLetter || character.isNumber || "_-".contains(character))
        ? character : "_"
    }
    return name.isEmpty ? "answer" : String(name)
  }
}
