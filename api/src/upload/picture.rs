//! From what somebody sent to the pictures we show: decoded within bounds, turned upright, cut and scaled, written anew.
//!
//! Nothing of the sent file survives but its pixels: no metadata, no place it was taken at, no bytes after the picture. Pure; slow, so
//! not for a thread that answers others.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{
    DynamicImage, GenericImageView as _, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
};
use sha2::{Digest as _, Sha256};
use std::io::Cursor;

/// Pixels a sent picture may have: more than any camera on sale takes.
const PIXELS_MAX: u64 = 60_000_000;
const SIDE_MAX: u32 = 16_384;
/// What decoding may allocate, the pixels included.
const DECODE_BYTES_MAX: u64 = 512 << 20;
const QUALITY: u8 = 82;

/// A size we show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Lists; cut to 16:9.
    Thumb,
    /// Cards; cut to 16:9.
    Card,
    /// The top of a page.
    Hero,
    /// As sent, within reason.
    Original,
}

impl Size {
    pub(super) const ALL: [Self; 4] = [Self::Thumb, Self::Card, Self::Hero, Self::Original];

    /// Its name in an address.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Thumb => "thumb",
            Self::Card => "card",
            Self::Hero => "hero",
            Self::Original => "original",
        }
    }

    /// The box it fits in.
    fn bounds(self) -> (u32, u32) {
        match self {
            Self::Thumb => (320, 180),
            Self::Card => (640, 360),
            Self::Hero => (1_920, 1_080),
            Self::Original => (4_096, 4_096),
        }
    }
}

/// A picture in every size, each a JPEG.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    pub(super) sizes: Vec<(Size, Vec<u8>)>,
    /// SHA-256 of the largest, in hexadecimal.
    pub(super) hash: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Why there is no picture in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PictureError {
    /// Neither JPEG nor PNG nor WebP, by its first bytes.
    #[error("not a JPEG, PNG or WebP")]
    Kind,
    /// More than we take.
    #[error("more than {PIXELS_MAX} pixels")]
    TooManyPixels,
    /// It begins like a picture, and then is none.
    #[error("read a picture")]
    Broken(#[source] ImageError),
    /// A size could not be written; cannot happen.
    #[error("write a picture")]
    Write(#[source] ImageError),
}

/// Makes every size of a sent file.
pub(super) fn pictures(sent: &[u8]) -> Result<Pictures, PictureError> {
    let upright = flat(decode(sent)?);
    let mut sizes = Vec::with_capacity(Size::ALL.len());
    let (mut hash, mut dimensions) = (String::new(), (0, 0));
    for size in Size::ALL {
        let fitted = fit(&upright, size);
        let mut jpeg = Vec::new();
        fitted.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).map_err(PictureError::Write)?;
        if size == Size::Original {
            hash = crate::hex::encode(&Sha256::digest(&jpeg));
            dimensions = fitted.dimensions();
        }
        sizes.push((size, jpeg));
    }
    Ok(Pictures { sizes, hash, width: dimensions.0, height: dimensions.1 })
}

fn decode(sent: &[u8]) -> Result<DynamicImage, PictureError> {
    let format = image::guess_format(sent).map_err(|_| PictureError::Kind)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) {
        return Err(PictureError::Kind);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(sent), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    // Its header says so before a pixel is decoded: a small file may unfold into a very large picture.
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(PictureError::TooManyPixels);
    }
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn broken(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooManyPixels,
        error => PictureError::Broken(error),
    }
}

/// What shines through shows white: JPEG knows no transparency.
fn flat(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return DynamicImage::ImageRgb8(picture.into_rgb8());
    }
    let rgba = picture.into_rgba8();
    let over_white = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u16::from(channel), u16::from(alpha));
        u8::try_from((channel * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
    };
    let flat = RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0;
        Rgb([over_white(red, alpha), over_white(green, alpha), over_white(blue, alpha)])
    });
    DynamicImage::ImageRgb8(flat)
}

/// Scales down to the size's box, never up; what is cut to the box's shape keeps its middle.
fn fit(picture: &DynamicImage, size: Size) -> DynamicImage {
    let (width, height) = size.bounds();
    let cut = match size {
        Size::Thumb | Size::Card => shaped(picture, width, height),
        Size::Hero | Size::Original => picture.clone(),
    };
    if cut.width() <= width && cut.height() <= height { cut } else { cut.resize(width, height, FilterType::Lanczos3) }
}

fn shaped(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let (has_width, has_height) = picture.dimensions();
    let side = |long: u32, of: u32, to: u32| {
        u32::try_from(u64::from(long) * u64::from(of) / u64::from(to)).unwrap_or(long).max(1)
    };
    let (cut_width, cut_height) = if u64::from(has_width) * u64::from(height) > u64::from(has_height) * u64::from(width)
    {
        (side(has_height, width, height), has_height)
    } else {
        (has_width, side(has_width, height, width))
    };
    picture.crop_imm((has_width - cut_width) / 2, (has_height - cut_height) / 2, cut_width, cut_height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Rgba};

    fn png(width: u32, height: u32, color: [u8; 4]) -> Vec<u8> {
        let picture = DynamicImage::ImageRgba8(ImageBuffer::from_pixel(width, height, Rgba(color)));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn dimensions(pictures: &Pictures) -> Vec<(u32, u32)> {
        let load =
            |bytes: &Vec<u8>| image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap().dimensions();
        pictures.sizes.iter().map(|(_, bytes)| load(bytes)).collect()
    }

    #[test]
    fn every_size_fits_its_box_and_none_is_blown_up() {
        let large = pictures(&png(5_000, 2_000, [9, 9, 9, 255])).unwrap();
        assert_eq!(dimensions(&large), [(320, 180), (640, 360), (1_920, 768), (4_096, 1_638)]);
        assert_eq!((large.width, large.height), (4_096, 1_638));
        let small = pictures(&png(100, 300, [9, 9, 9, 255])).unwrap();
        assert_eq!(dimensions(&small), [(100, 56), (100, 56), (100, 300), (100, 300)]);
        let line = pictures(&png(4_000, 1, [9, 9, 9, 255])).unwrap();
        assert_eq!(dimensions(&line)[0], (1, 1));
    }

    #[test]
    fn the_same_pixels_have_the_same_hash_and_transparency_is_white() {
        let (one, same) =
            (pictures(&png(40, 40, [1, 2, 3, 0])).unwrap(), pictures(&png(40, 40, [1, 2, 3, 0])).unwrap());
        assert_eq!(one.hash, same.hash);
        assert_ne!(one.hash, pictures(&png(40, 40, [1, 2, 3, 255])).unwrap().hash);
        let shown = image::load_from_memory(&one.sizes[3].1).unwrap().into_rgb8();
        assert_eq!(shown.get_pixel(20, 20).0, [255, 255, 255]);
    }

    #[test]
    fn what_is_no_picture_is_refused_by_why() {
        assert!(matches!(pictures(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Err(PictureError::Kind)));
        assert!(matches!(pictures(b"GIF89a\x01\x00\x01\x00"), Err(PictureError::Kind)));
        assert!(matches!(pictures(b""), Err(PictureError::Kind)));
        let whole = png(40, 40, [1, 2, 3, 255]);
        assert!(matches!(pictures(&whole[..whole.len() / 2]), Err(PictureError::Broken(_))));
    }

    #[test]
    fn a_header_that_promises_too_many_pixels_is_refused_before_they_are_decoded() {
        let mut bomb = png(1, 1, [0, 0, 0, 255]);
        // Width and height stand at offset 16 of a PNG; its header's checksum follows them.
        bomb[16..24].copy_from_slice(&[0, 0, 0x30, 0, 0, 0, 0x30, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        assert!(matches!(pictures(&bomb), Err(PictureError::TooManyPixels)));
    }
}
