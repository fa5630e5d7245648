/// The version of everything in this package: programs, protocol answers, packages.
package let hotlineVersion = "0.1.0"
