import Glibc
import HotlineWire

/// What is kept of a named conversation between two questions: where it was left.
///
/// One file for each name; the last of two questions at once that ends is the one that is kept.
struct Conversation: Hashable {
  struct Place: Hashable {
    /// The response that the next one follows.
    var responseID: String
    /// Only it knows that response.
    var upstream: String?
  }

  let name: String
  let path: String

  /// - Throws: `.configuration` if there is no place for it.
  init(name: String) throws(CommandFailure) {
    self.name = name
    path = try StateDirectory.make("conversations") + "/" + Self.fileName(for: name)
  }

  /// Where it was left; nil if it has not begun.
  ///
  /// - Throws: `.configuration` if it cannot be known.
  func place() throws(CommandFailure) -> Place? {
    guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
    let bytes: [UInt8]
    do throws(CommandFailure) {
      bytes = try InputFile.read(path, bytesMax: 1 << 16)
    } catch {
      throw CommandFailure(.configuration, error.sentence)
    }
    let place = bytes.withUnsafeBytes { bytes -> Place? in
      guard let file = JSONView(line: bytes), let id = file["response_id"]?.string,
        file["conversation"]?.string == name
      else { return nil }
      return Place(responseID: id, upstream: file["upstream"]?.string)
    }
    guard let place else {
      throw CommandFailure(
        .configuration,
        "\(path) does not say where the conversation was left; remove it to begin anew")
    }
    return place
  }

  /// Replaces the file in one step, so that whatever happens it holds one place or the other.
  ///
  /// - Throws: `.failed` if that cannot be done; the former place is kept then.
  func keep(_ place: Place) throws(CommandFailure) {
    let line = LocalLine.line { line in
      line.member("conversation", name)
      line.member("response_id", place.responseID)
      line.member("upstream", place.upstream)
    }
    let draft = "\(path).\(getpid())"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    let isWritten =
      descriptor >= 0
      && line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        == line.count
      && fsync(descriptor) == 0
    var code = errno
    if descriptor >= 0 { close(descriptor) }
    if isWritten, rename(draft, path) == 0 { return }
    if isWritten { code = errno }
    unlink(draft)
    throw CommandFailure(
      .failed,
      "the conversation \"\(name)\" goes on without this answer: cannot write \(path): "
        + systemMessage(code))
  }

  /// Every name has its own: what is no letter, digit, `-` or `_` is spelt in hexadecimal, and of a
  /// name that is too long for a file the beginning and a hash.
  static func fileName(for name: String) -> String {
    var spelling = ""
    for byte in name.utf8 {
      let character = Character(Unicode.Scalar(byte))
      if byte < 0x80, character.isLetter || character.isNumber || "_-".contains(character) {
        spelling.append(character)
      } else {
        spelling += (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
      }
    }
    guard spelling.utf8.count > 200 else { return spelling }
    // FNV-1a of 64 bits: the name within the file tells those apart that share it.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return spelling.prefix(180) + "+" + String(hash, radix: 16)
  }
}

/// Where the program keeps what it is to know the next time (XDG Base Directory Specification).
enum StateDirectory {
  /// The path of a directory in `$XDG_STATE_HOME/hotline`, which then is there, for its user alone.
  ///
  /// - Throws: `.configuration` if there is none or it cannot be made.
  static func make(_ name: String) throws(CommandFailure) -> String {
    guard let base = base(variable: { getenv($0).map { String(cString: $0) } }) else {
      throw CommandFailure(
        .configuration,
        "there is no place to keep a conversation; set XDG_STATE_HOME or HOME to an absolute path")
    }
    let path = base + "/hotline/" + name
    var prefix = ""
    for component in path.split(separator: "/") {
      prefix += "/" + component
      guard mkdir(prefix, 0o700) != 0, errno != EEXIST, access(prefix, F_OK) != 0 else { continue }
      throw CommandFailure(
        .configuration,
        "cannot make the directory \(prefix): \(systemMessage(errno)); set XDG_STATE_HOME to "
          + "another place")
    }
    return path
  }

  static func base(variable: (String) -> String?) -> String? {
    if let path = variable("XDG_STATE_HOME"), path.hasPrefix("/") { return path }
    guard let home = variable("HOME"), home.hasPrefix("/") else { return nil }
    return home + "/.local/state"
  }
}
