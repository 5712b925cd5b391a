//! Structs of the caller, which may have been compiled with an older or a newer header.

use std::mem::MaybeUninit;

use crate::error::Failure;

/// A struct is never longer than this: what says so was not filled by its `_init` function.
pub(crate) const MAX_STRUCT: usize = 4096;

/// A struct of the header that begins with its size.
///
/// # Safety
///
/// It is `repr(C)`, its first field is a `usize`, and all-zero bytes and any that C can write into its fields are a valid
/// one.
pub(crate) unsafe trait Layout: Copy {
    /// Its size in each version of the header that had another one, the first version first. A struct ends where a
    /// version did, never within a field.
    const SIZES: &'static [usize] = &[size_of::<Self>()];
}

/// Copies a struct of the caller. Fields that the caller was not compiled with read as zero, which means "default"
/// everywhere; those that the library was not compiled with must be zero.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for reading as many bytes as its leading `struct_size` field says.
pub(crate) unsafe fn sized<T: Layout>(ptr: *const T, name: &str) -> Result<T, Failure> {
    // SAFETY: passed on to the caller.
    let size = unsafe { check_size(ptr, name) }?;
    for at in size_of::<T>()..size {
        // SAFETY: `size` bytes are readable by contract.
        if unsafe { ptr.cast::<u8>().add(at).read() } != 0 {
            let why = format!(
                "byte {at} is set, and this library knows {}",
                size_of::<T>()
            );
            return Err(Failure::invalid(name, why));
        }
    }
    // SAFETY: as above.
    Ok(unsafe { head(ptr, size) })
}

/// The first bytes of a struct of the caller, as far as the library knows it; the rest is zero.
///
/// # Safety
///
/// `ptr` must be valid for reading `size` bytes.
pub(crate) unsafe fn head<T: Layout>(ptr: *const T, size: usize) -> T {
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `size` bytes are readable by contract, and no more than fit are copied; zero is valid by `Layout`.
    unsafe {
        copy.as_mut_ptr()
            .cast::<u8>()
            .copy_from(ptr.cast(), size.min(size_of::<T>()));
        copy.assume_init()
    }
}

/// What the leading `struct_size` of a struct of the caller says, if it can be true. Nothing is written.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for reading a `size_t`.
pub(crate) unsafe fn check_size<T: Layout>(ptr: *const T, name: &str) -> Result<usize, Failure> {
    if ptr.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: every struct of the caller begins with its size.
    let size = unsafe { ptr.cast::<usize>().read() };
    let newer = size_of::<T>() < size && size <= MAX_STRUCT;
    if !newer && !T::SIZES.contains(&size) {
        let why = format!("struct_size is {size}; call the _init function first");
        return Err(Failure::invalid(name, why));
    }
    Ok(size)
}

/// Writes a struct of ours into the caller's, which may be shorter or longer: as much as both know. The caller's
/// `struct_size` stays.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for writing as many bytes as its leading `struct_size` field says.
pub(crate) unsafe fn give_sized<T: Layout>(
    ptr: *mut T,
    value: &T,
    name: &str,
) -> Result<(), Failure> {
    // SAFETY: passed on to the caller.
    let size = unsafe { check_size(ptr, name) }?;
    let head = size_of::<usize>();
    let size = size.min(size_of::<T>()).saturating_sub(head);
    // SAFETY: as many bytes are writable by contract, and no more than there are.
    unsafe {
        let from = std::ptr::from_ref(value).cast::<u8>().add(head);
        ptr.cast::<u8>().add(head).copy_from(from, size);
    }
    Ok(())
}

/// Fills a struct of the caller with defaults: its size, then zeros, all of it: the caller may know more fields than the
/// library.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for writing `size` bytes.
pub(crate) unsafe fn init<T: Layout>(ptr: *mut T, size: usize) {
    if !ptr.is_null() && size >= size_of::<usize>() {
        // SAFETY: `size` bytes are writable by contract; the first field of every such struct is its size.
        unsafe {
            ptr.cast::<u8>().write_bytes(0, size);
            ptr.cast::<usize>().write(size);
        }
    }
}
