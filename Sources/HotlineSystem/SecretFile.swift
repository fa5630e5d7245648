/// Why a key could not be stored; the file that was there is as before.
package struct SecretFileError: Error, Hashable, Sendable, CustomStringConvertible {
  let failure: FileFailure

  package var description: String { "\(failure); the key that was there is unchanged" }
}

/// Writes keys to files.
package enum SecretFile {
  /// Stores the key at the path, mode 0600, with a line feed behind it: see ``AtomicFile``.
  package static func store(_ secret: Secret, at path: String) throws(SecretFileError) {
    do throws(FileFailure) {
      try AtomicFile.replace(path) { descriptor in
        secret.withBytes { key in
          key.withUnsafeBufferPointer {
            AtomicFile.writeAll(UnsafeRawBufferPointer($0), to: descriptor)
          }
        } && Array("\n".utf8).withUnsafeBytes { AtomicFile.writeAll($0, to: descriptor) }
      }
    } catch {
      throw SecretFileError(failure: error)
    }
  }
}
