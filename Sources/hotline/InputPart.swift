import HotlineWire

/// One part of a question's content, as the server's `input` has it.
enum InputPart: Hashable {
  case text(String)
  /// An address, or a `data:` URL with the picture in it.
  case image(url: [UInt8])
  /// `url` is a `data:` URL with the document in it.
  case file(name: String, url: [UInt8])

  func append(to line: inout JSONWriter) {
    line.beginObject()
    switch self {
    case .text(let text):
      line.member("type", "input_text")
      line.member("text", text)
    case .image(let url):
      line.member("type", "input_image")
      line.name("image_url")
      line.string(url)
    case .file(let name, let url):
      line.member("type", "input_file")
      line.member("filename", name)
      line.name("file_data")
      line.string(url)
    }
    line.endObject()
  }
}

/// Makes parts of what the user names: files by their contents, not their names.
extension InputPart {
  /// Text stands in the question with the file's name above it, a picture is one, all else is a
  /// document that the server has to know.
  ///
  /// - Throws: `.usage` if the file cannot be read or is too long.
  static func file(_ path: String) throws(CommandFailure) -> InputPart {
    let bytes = try InputFile.read(path)
    let name = InputFile.name(of: path)
    if let type = imageType(of: bytes) { return .image(url: dataURL(type: type, bytes)) }
    if !bytes.contains(0), !bytes.starts(with: "%PDF-".utf8),
      let text = String(validating: bytes, as: UTF8.self)
    {
      return .text("File \(name):\n\n\(text)")
    }
    let isPDF = bytes.starts(with: "%PDF-".utf8)
    let type = isPDF ? "application/pdf" : "application/octet-stream"
    return .file(name: name, url: dataURL(type: type, bytes))
  }

  /// A picture's file, or its address.
  ///
  /// - Throws: `.usage` if the file cannot be read, is too long, or is no picture.
  static func image(_ path: String) throws(CommandFailure) -> InputPart {
    for scheme in ["https://", "http://", "data:"] where path.hasPrefix(scheme) {
      return .image(url: Array(path.utf8))
    }
    let bytes = try InputFile.read(path)
    guard let type = imageType(of: bytes) else {
      throw CommandFailure(
        .usage, "\(path) is no PNG, JPEG, GIF or WebP picture; convert it, or use --file")
    }
    return .image(url: dataURL(type: type, bytes))
  }

  /// By the first bytes: PNG 5.2; JPEG's SOI and the marker after it; GIF89a 17; RFC 9649 (WebP).
  private static func imageType(of bytes: [UInt8]) -> String? {
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "image/png" }
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
    if bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8) {
      return "image/gif"
    }
    let isWebP = bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8)
    return isWebP ? "image/webp" : nil
  }

  /// RFC 2397.
  private static func dataURL(type: String, _ bytes: [UInt8]) -> [UInt8] {
    var url = Array("data:\(type);base64,".utf8)
    bytes.withUnsafeBytes { Base64.append($0, to: &url) }
    return url
  }
}
