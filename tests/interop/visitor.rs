use std::os::raw::*;
extern "C" { fn socket(a:c_int,b:c_int,c:c_int)->c_int; fn bind(f:c_int,a:*const u8,l:u32)->c_int; fn write(f:c_int,b:*const u8,n:usize)->isize; fn read(f:c_int,b:*mut u8,n:usize)->isize; fn if_nametoindex(n:*const c_char)->c_uint; }
fn main(){ unsafe { let i=if_nametoindex(b"vcan0\0".as_ptr() as *const c_char); let s=socket(29,3,1); let r=socket(29,3,1); let mut a=[0u8;24]; a[0]=29; a[4..8].copy_from_slice(&i.to_ne_bytes());
 assert!(bind(s,a.as_ptr(),24)==0 && bind(r,a.as_ptr(),24)==0); let f=[0x23u8,1,0,0,1,0,0,0,0x5a,0,0,0,0,0,0,0]; assert!(write(s,f.as_ptr(),16)==16); let mut g=[0u8;16]; assert!(read(r,g.as_mut_ptr(),16)==16); assert!(f==g); println!("rust ok"); } }
