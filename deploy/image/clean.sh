#!/bin/sh
# Removes from an environment what no run of the agent reads: the packages' own tests, headers for compilers, symbols for
# debuggers, the parts of pyarrow for servers of Arrow Flight and for S3 (the agent reads S3 with boto3), and the descriptions of
# services of AWS that no plugin of driftline calls. A plugin of one's own that calls another service needs an image without this.
#   clean.sh ENVIRONMENT
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
cd "$packages"

find . -depth -type d -name tests -exec rm -r {} +
rm -r pyarrow/include
find . \( -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.hpp' -o -name '*.a' \) -delete

cd pyarrow
rm -f _flight.* _s3fs.* _pyarrow_cpp_tests.* libarrow_flight.* libarrow_python_flight.* libarrow_s3.*
# A wheel can't hold links, so it holds copies.
for library in libarrow_python libarrow_python_parquet_encryption; do
    whole=$(ls $library.so.*.*.* 2>/dev/null | head -n 1)
    [ -n "$whole" ] || continue
    short=${whole%.*.*}
    ln -sf "$short" "$library.so"
    ln -sf "$short" "$whole"
done
cd ..

# S3, SageMaker, CloudWatch, and what credentials come from.
if [ -d botocore/data ]; then
    find botocore/data -mindepth 1 -maxdepth 1 -type d \( -not -name 's3*' -not -name 'sagemaker*' -not -name cloudwatch \
        -not -name 'sso*' -not -name sts -not -name signin \) -exec rm -r {} +
fi

# numpy and scipy bring one library twice.
if [ -d numpy.libs ] && [ -d scipy.libs ]; then
    for library in numpy.libs/*; do
        twin=scipy.libs/${library##*/}
        if [ -f "$twin" ] && cmp -s "$library" "$twin"; then ln -f "$library" "$twin"; fi
    done
fi

# Libraries in *.libs were changed after they were linked: strip would make them unreadable.
if command -v strip >/dev/null; then
    find . -name '*.so*' -type f -not -path './*.libs/*' -exec strip --strip-unneeded {} +
else
    echo "strip is missing: the image keeps symbols for debuggers"
fi
